import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type OpenAPIObject } from '@nestjs/swagger';
import { Controller, Get } from '@nestjs/common';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listRoutes, type Route } from '../../src/auth/internals.js';
import { SERVED_DOCUMENTS } from '../../src/openapi/served-documents.js';
import { tokenChallenge } from '../../src/auth/errors/challenge.js';
import { TOKEN_MESSAGES } from '../../src/tokens/token.errors.js';
import * as face from '../../src/auth/index.js';
import { AuthModule, type AuthModuleExtras, ERROR_CODES, type TokenErrorCode } from '../../src/auth/index.js';
import { VARIABLES } from '../../src/app.config.js';
import { RESERVED_CLAIMS } from '../../src/tokens/token-claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { documentedErrors } from '../support/documented-errors.js';
import { expectError } from '../support/expect-error.js';
import { quotesIn, readDocument, rowsOf, blocksOf, withExamples, ROOT } from './documents.js';

/* The documents that list names, of routes, errors, options and another library: each name must be there. */

const NEEDS: Record<Route['policy']['level'], string> = {
  public: 'nothing',
  access: 'access token',
  'optional-access': 'access token, or nothing',
  'fresh-access': 'fresh access token',
  refresh: 'refresh token',
  'access-or-refresh': 'either token',
};

/** As the table says it. */
function needsOf({ policy, roles }: Route): string {
  const once = policy.level === 'fresh-access' && policy.once ? ', once' : '';
  return NEEDS[policy.level] + once + roles.map((role) => `, role \`${role}\``).join('');
}

describe('docs/http-api.md', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: { PAGES: 'on' } });
  });
  afterAll(() => api.close());

  it('lists every route that comes with the project, and what it needs', () => {
    const rows = rowsOf(readDocument('docs/http-api.md')).filter(([route = '']) => /^`[A-Z]+ \//.test(route));
    const listed = new Map(
      rows.flatMap(([paths = '', needs = '']) => quotesIn(paths).map((route) => [route, needs] as const)),
    );
    const served = new Map(listRoutes(api.app).map((route) => [`${route.method} ${route.path}`, route]));
    expect(listed.size).toBeGreaterThan(15);
    for (const { method, path, kind } of SERVED_DOCUMENTS) {
      if (kind === 'document') expect(listed.get(`${method} ${path}`)).toBe('nothing');
      listed.delete(`${method} ${path}`);
    }
    for (const [name, needs] of listed) {
      const route = served.get(name);
      // The cell may add members of the request, or other conditions for the token.
      expect([name, needs]).toEqual([
        name,
        expect.stringMatching(new RegExp(`^${route ? needsOf(route) : '?'}`)),
      ]);
    }
    const ours =
      /^\w+ \/($|assets|email|password|register|\.well-known|admin|auth|health|profile|transfers)\b/;
    expect([...served.keys()].filter((name) => ours.test(name) && !listed.has(name))).toEqual([]);
  });
});

const ERRORS = readDocument('docs/errors.md');
const TOKEN_CODES = Object.keys(TOKEN_MESSAGES) as TokenErrorCode[];

/** Everything that the server answers by itself, and what the features of this application add. */
async function declared(): Promise<string[]> {
  const api = await createTestApp({ env: { OPENAPI: 'on' } });
  try {
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    return [
      ...Object.entries(ERROR_CODES).flatMap(([code, { statuses }]) =>
        statuses.map((status) => `${status} ${code}`),
      ),
      ...[...documentedErrors(body as OpenAPIObject).values()].flatMap((errors) => [...errors]),
    ];
  } finally {
    await api.close();
  }
}

function documented(): string[] {
  const rows = ['Tokens and passwords', 'Requests', 'The server'].flatMap((heading) =>
    rowsOf(ERRORS, heading),
  );
  const inProse = [...ERRORS.matchAll(/`(\w+)` \((\d{3})\)/g)].map(([, code = '', status = '']) => [
    code,
    status,
  ]);
  return [...rows, ...inProse].map(([code = '', status = '']) => `${status} ${quotesIn(code)[0] ?? code}`);
}

describe('docs/errors.md', () => {
  it('lists every error that the server and its features declare, with its status, and no other', async () => {
    const errors = new Set(await declared());
    expect(documented().toSorted()).toEqual([...errors].toSorted());
  });

  it('says when and what to do of each', () => {
    for (const heading of ['Tokens and passwords', 'Requests', 'The server']) {
      for (const row of rowsOf(ERRORS, heading)) expect(row.filter(Boolean)).toHaveLength(4);
    }
  });

  it('shows the challenge of each token error as it is sent', () => {
    const shown = Object.fromEntries(
      rowsOf(ERRORS, 'Challenges').flatMap(([codes = '', challenge = '']) =>
        quotesIn(codes).map((code) => [code, quotesIn(challenge)[0]]),
      ),
    );
    const sent = TOKEN_CODES.map((code) => [
      code,
      tokenChallenge(code, { maxAge: 900_000 }).replace(TOKEN_MESSAGES[code], '…').replace('900', 'N'),
    ]);
    const { invalid_credentials: wrongPassword, insufficient_role: noRole, ...ofTokens } = shown;
    expect(ofTokens).toEqual(Object.fromEntries(sent));
    expect([wrongPassword, noRole]).toEqual([
      'Bearer',
      expect.stringContaining('error="insufficient_scope"'),
    ]);
  });

  it('shows how a feature answers with an error of its own', async () => {
    await withExamples('errors', blocksOf(ERRORS, 'ts'), async ([file = '']) => {
      const { TicketsController } = (await import(file)) as { TicketsController: new () => object };
      const api = await createTestApp({ controllers: [TicketsController] });
      try {
        const { access } = await api.login();
        for (const _ of ['refused', 'and the token is given back']) {
          const response = await api.request('POST', '/tickets', access);
          expect(expectError(response, 409, 'sold_out')).toBe('There are no tickets left');
          expect(JSON.stringify(response.body)).not.toContain('for the log');
        }
      } finally {
        await api.close();
      }
    });
  });
});

const OPTIONS = readDocument('docs/options.md');

describe('docs/options.md', () => {
  it('has `AuthModule.forRootAsync`', () => {
    expect(typeof AuthModule.forRootAsync).toBe('function');
  });

  it('shows an example of every hook, and hooks that are obeyed', async () => {
    const examples = blocksOf(OPTIONS, 'ts');
    for (const hook of [
      'TokenExtras',
      'SubjectMapper',
      'TokenRule',
      'RevocationCheck',
      'UserLoader',
      'ErrorRenderer',
    ]) {
      expect(examples[1]).toMatch(new RegExp(`extends ${hook}\\b`));
    }
    await withExamples('options', examples, async (files) => {
      const { hooks } = (await import(files[1] ?? '')) as { hooks: AuthModuleExtras };
      const api = await createTestApp({ auth: hooks });
      try {
        const user = await api.user();
        const { access } = await user.login();
        const { body } = await api.request('GET', '/profile', access).expect(200);
        expect(body).toMatchObject({ id: user.id });
        const refused = await api.request('GET', '/profile').expect(401);
        expect(refused.body).toEqual({ status: 401, title: 'Missing bearer token', code: 'token_missing' });
        const suspended = await (await api.user('suspended.one')).login();
        const answer = await api.request('GET', '/profile', suspended.access).expect(401);
        expect(answer.body).toMatchObject({ code: 'token_invalid' });
      } finally {
        await api.close();
      }
    });
  });
});

const FLASK = readDocument('docs/coming-from-flask-jwt-extended.md');
const words = (text: string) => text.trim().split(/\s+/);

/** All of Flask-JWT-Extended 4.7.1, by the heading under which it is answered. */
const THEIRS: Record<string, string[]> = {
  Functions: words(`JWTManager init_app create_access_token create_refresh_token current_user decode_token
    get_csrf_token get_current_user get_jti get_jwt get_jwt_header get_jwt_identity get_jwt_request_location
    get_unverified_jwt_headers jwt_required set_access_cookies set_refresh_cookies unset_access_cookies
    unset_jwt_cookies unset_refresh_cookies verify_jwt_in_request`),
  'Parameters of the decorator': words('optional fresh refresh locations verify_type skip_revocation_check'),
  Loaders: words(`additional_claims additional_headers user_identity encode_key decode_key token_in_blocklist
    token_verification user_lookup expired_token invalid_token unauthorized needs_fresh_token revoked_token
    token_verification_failed user_lookup_error`).map((name) => `${name}_loader`),
  Options:
    words(`TOKEN_LOCATION SECRET_KEY PRIVATE_KEY PUBLIC_KEY ALGORITHM DECODE_ALGORITHMS ACCESS_TOKEN_EXPIRES
    REFRESH_TOKEN_EXPIRES DECODE_LEEWAY ENCODE_NBF ENCODE_AUDIENCE DECODE_AUDIENCE ENCODE_ISSUER DECODE_ISSUER
    IDENTITY_CLAIM VERIFY_SUB ERROR_MESSAGE_KEY HEADER_NAME HEADER_TYPE QUERY_STRING_NAME
    QUERY_STRING_VALUE_PREFIX JSON_KEY REFRESH_JSON_KEY ACCESS_COOKIE_NAME REFRESH_COOKIE_NAME ACCESS_COOKIE_PATH
    REFRESH_COOKIE_PATH COOKIE_SECURE COOKIE_SAMESITE COOKIE_DOMAIN SESSION_COOKIE COOKIE_CSRF_PROTECT CSRF_METHODS
    CSRF_IN_COOKIES CSRF_CHECK_FORM ACCESS_CSRF_COOKIE_NAME REFRESH_CSRF_COOKIE_NAME ACCESS_CSRF_COOKIE_PATH
    REFRESH_CSRF_COOKIE_PATH ACCESS_CSRF_HEADER_NAME REFRESH_CSRF_HEADER_NAME ACCESS_CSRF_FIELD_NAME
    REFRESH_CSRF_FIELD_NAME`).map((name) => `JWT_${name}`),
  Errors:
    words(`JWTExtendedException JWTDecodeError InvalidHeaderError InvalidQueryParamError NoAuthorizationError
    CSRFError WrongTokenError RevokedTokenError FreshTokenRequired UserLookupError UserClaimsVerificationError
    ExpiredSignatureError DecodeError InvalidSignatureError InvalidAlgorithmError ImmatureSignatureError
    MissingRequiredClaimError InvalidAudienceError InvalidIssuerError InvalidSubjectError RuntimeError`),
  Claims: words('iss aud sub iat exp nbf jti type fresh csrf'),
};
const SIZES = {
  Functions: 21,
  'Parameters of the decorator': 6,
  Loaders: 15,
  Options: 43,
  Errors: 21,
  Claims: 10,
};
const VERDICTS = ['as is', 'differently', 'refused'];

/** Named by the compiler: these are options of our decorators. */
const PARAMETERS: (keyof face.AccessOptions)[] = ['locations', 'skipRevocationCheck'];

@Controller('either')
class EitherController {
  @face.AccessOrRefresh()
  @Get()
  either(@face.CurrentToken('location') location: string): object {
    return { location };
  }
}

describe('docs/coming-from-flask-jwt-extended.md', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      auth: { locations: { order: ['header', 'cookie'] } },
      controllers: [EitherController],
    });
  });
  afterAll(() => api.close());

  it.each(Object.keys(THEIRS))('answers each of their names once: %s', (heading) => {
    const names = rowsOf(FLASK, heading).map(([name = '']) => quotesIn(name).join());
    expect(names).toHaveLength(SIZES[heading as keyof typeof SIZES]);
    expect(names.toSorted()).toEqual(THEIRS[heading]?.toSorted());
  });

  it('says of each whether it is there as it is, differently or not at all, and why not', () => {
    for (const heading of Object.keys(THEIRS)) {
      for (const [name, verdict = '', ours = '', why = ''] of rowsOf(FLASK, heading)) {
        expect([name, VERDICTS]).toEqual([name, expect.arrayContaining([verdict])]);
        // A refused name has a reason instead of our name; every other name has ours.
        expect([name, quotesIn(ours).length > 0]).toEqual([name, verdict !== 'refused']);
        if (verdict === 'refused') expect([name, why]).toEqual([name, expect.stringMatching(/\w+ \w+/)]);
      }
    }
  });

  it('names nothing of ours that does not exist', () => {
    const ours = Object.keys(THEIRS).flatMap((heading) =>
      rowsOf(FLASK, heading).flatMap(([, , cell = '']) => quotesIn(cell)),
    );
    expect(ours.length).toBeGreaterThan(100);
    expect(ours.filter((quote) => !known(quote))).toEqual([]);
    // In the text too, as far as a quote can be nothing but a name of ours.
    const named = quotesIn(FLASK.replace(/^```[^]*?^```/gm, '')).filter((quote) =>
      /^@|^npm run |^(GET|POST|PUT|PATCH|DELETE) \/|^(tokens|sessions|locations|cookies|csrf)\.|^(token|csrf|insufficient|fresh)_(?!in_|verification)\w+$|^(Logins|Tokens|AuthModule|Authenticator)\b/.test(
        quote,
      ),
    );
    expect(named.length).toBeGreaterThan(80);
    expect(named.filter((quote) => !known(quote))).toEqual([]);
  });

  it('would notice a name that does not exist', () => {
    for (const wrong of [
      '@Fresh()',
      'tokens.accessTTL',
      'JWT_TTL',
      'Logins.close',
      'npm run user',
      'GET /auth/me',
      'token_bad',
    ]) {
      expect([wrong, known(wrong)]).toEqual([wrong, false]);
    }
  });

  it('shows the start in Python and in TypeScript, and the TypeScript guards', async () => {
    const examples = blocksOf(FLASK, 'ts');
    await withExamples('flask', examples, async (files) => {
      const { ProtectedModule } = (await import(files[0] ?? '')) as { ProtectedModule: new () => object };
      const team = await createTestApp({ imports: [ProtectedModule] });
      try {
        const { user, access } = await team.login();
        expectError(await team.request('GET', '/protected'), 401, 'token_missing');
        const { body } = await team.request('GET', '/protected', access).expect(200);
        expect(body).toEqual({ logged_in_as: user.id });
      } finally {
        await team.close();
      }
    });
  });

  it('is right that @AccessOrRefresh finds a refresh cookie, where no access cookie is', async () => {
    const { refresh } = await api.login();
    const answer = await api.request('GET', '/either').set('Cookie', `refresh_token=${refresh}`).expect(200);
    expect(answer.body).toEqual({ location: 'cookie' });
  });

  /** Whether a quote is a name of something that is there. */
  function known(quote: string): boolean {
    const decorator = /^@(\w+)\(.*\)$/.exec(quote)?.[1];
    if (decorator !== undefined) return typeof exported(decorator) === 'function';
    const script = /^npm run (\w+)( -- \w+( \S+)?)?$/.exec(quote)?.[1];
    if (script !== undefined) return script in scripts();
    if (/^[A-Z]+ \//.test(quote)) return routes(api).includes(quote);
    const [, owner = '', member = ''] = /^(\w+)\.(\w+)/.exec(quote) ?? [];
    if (exported(owner) !== undefined) return has(exported(owner), member);
    return (
      [...options(), ...PARAMETERS, ...errorCodes(), ...RESERVED_CLAIMS].includes(quote) ||
      VARIABLES.some(({ name }) => name === quote) ||
      exported(quote) !== undefined
    );
  }
});

function exported(name: string): unknown {
  return (face as Record<string, unknown>)[name];
}

function has(owner: unknown, member: string): boolean {
  return typeof owner === 'function' && (member in owner || member in (owner.prototype as object));
}

function scripts(): object {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }).scripts;
}

function routes(api: TestApp): string[] {
  return listRoutes(api.app).map(({ method, path }) => `${method} ${path}`);
}

function options(): string[] {
  const groups = Object.entries(new face.AuthOptions()) as [string, unknown][];
  const names = groups.flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? Object.keys(value).map((member) => `${name}.${member}`)
      : [name],
  );
  return ['keys', ...names];
}

/** Read from the source: the first argument after the status of every `ApiError`, and the codes of `TokenError`. */
function errorCodes(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .flatMap((path) => {
      const text = readFileSync(join(ROOT, 'src', path), 'utf8');
      return [...text.matchAll(/new (?:ApiError\(\s*\d+,\s*|TokenError\(\s*)'(\w+)'/g)].map(
        ([, code]) => code ?? '',
      );
    });
}
