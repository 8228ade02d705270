import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type OpenAPIObject } from '@nestjs/swagger';
import fc from 'fast-check';
import { STATUS_CODES } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AuthOptions } from '../../../src/auth/index.js';
import { listRoutes, type Route } from '../../../src/auth/internals.js';
import { describePostgres } from '../../support/engines.js';
import { createTestApp, type TestApp, type TestLogin } from '../../support/create-test-app.js';
import { TestClock } from '../../../src/testing/index.js';
import { documentedErrors } from '../../support/documented-errors.js';
import { exchange, portOf, type RawAnswer, type RawRequest, sendRaw } from '../../support/raw-http.js';
import { Cast, kindFor } from '../../support/cast.js';
import { GOOD, goodInput, type Input, inputs, OWN, SHOWN, type Shown, wire } from './inputs.js';

/*
 * Anything that a socket can carry, to every endpoint, with every kind of token. The seed is printed; FUZZ_SEED=… repeats
 * a run, with FUZZ_PATH=… its smallest failing input alone. LONG=1 tries ten times as many.
 */

const LONG = process.env['LONG'] === '1';
const RUNS = { guided: LONG ? 16_000 : 1_600, wire: LONG ? 16_000 : 1_600 };
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const PATH = process.env['FUZZ_PATH'];
const TIMEOUT = LONG ? 1_800_000 : 180_000;
/** How failures are reported: before the test's time is up, with the smallest input found until then. */
const REPORT = { seed: SEED, interruptAfterTimeLimit: TIMEOUT - 20_000, markInterruptAsFailure: true };
/** Bytes by which the memory may grow over the second half of a run: what is used on the heap, and the whole process. */
const MOST_GROWTH = { heapUsed: 48 * 2 ** 20, rss: 256 * 2 ** 20 };

/** Readiness compares it with the database server's. */
class RunningClock extends TestClock {
  override now(): number {
    return Date.now();
  }
}

interface Stage {
  env: Record<string, string>;
  engine: 'sqlite' | 'postgres';
}

function fuzz({ env, engine }: Stage): void {
  let api: TestApp;
  let port: number;
  let routes: Route[];
  let cast: Cast;
  let bystander: TestLogin;
  let documented: Map<string, ReadonlySet<string>>;
  let tried = 0;
  const seen = new Map<number, number>();
  const shownAt = new Set<string>();
  const opened = new Set<string>();

  beforeAll(async () => {
    api = await createTestApp({ engine, env: { OPENAPI: 'on', ...env }, clock: new RunningClock() });
    port = portOf(api.app);
    const declared = listRoutes(api.app);
    const others = ['/docs', '/docs/swagger-ui.css', '/openapi.json', '/nope', '/', '*'];
    const document = await api.request('GET', '/openapi.json').expect(200);
    documented = documentedErrors(document.body as OpenAPIObject);
    routes = [...declared, ...others.map((path) => ({ ...declared[0]!, path, method: 'GET' }))];
    bystander = await api.login();
    cast = await Cast.gather(api);
  }, 60_000);
  afterAll(async () => {
    await api.close();
    const counts = [...seen].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    process.stdout.write(`fuzz [${engine}]: ${tried} inputs, FUZZ_SEED=${SEED}; ${counts.join(', ')}\n`);
  });

  const cellOf = (route: number, shown: number) => route * SHOWN.length + shown;
  const fromCell = (cell: number): { route: Route; shown: Shown } => ({
    route: routes[Math.floor(cell / SHOWN.length) % routes.length]!,
    shown: SHOWN[cell % SHOWN.length]!,
  });
  const nameOf = ({ method, path }: Route) => `${method} ${path}`;

  /** First each route as it should be asked, and each with each kind of token beside anything else; then at random. */
  function firstInputs(): [Input][] {
    const right = SHOWN.indexOf('right');
    const cells = routes.flatMap((_route, route) => SHOWN.map((_shown, shown) => cellOf(route, shown)));
    const others = fc.sample(inputs, { seed: SEED, numRuns: cells.length });
    return [
      ...routes.map((_, route) => goodInput(cellOf(route, right))),
      ...others.map((input, i) => ({ ...input, cell: cells[i]!, method: null, suffix: '' })),
    ].map((input) => [input]);
  }

  function toRequest(input: Input): RawRequest {
    const { route, shown } = fromCell(input.cell);
    const { cookies } = api.get(AuthOptions);
    const kind = kindFor(route);
    const token = cast.tokenOf(shown, route, input.junk);
    const headers: [string, string | Buffer][] = [...input.headers];
    let search = input.query;
    let body = input.body === GOOD ? cast.goodBody(route) : input.body;
    if (input.sameOrigin) headers.push(['Sec-Fetch-Site', 'same-origin']);
    if (token !== undefined && input.place === 'header') headers.push(['Authorization', `Bearer ${token}`]);
    if (token !== undefined && input.place === 'cookie') {
      headers.push(['Cookie', `${kind === 'access' ? cookies.accessName : cookies.refreshName}=${token}`]);
    }
    if (token !== undefined && input.place === 'query') {
      search = `${search || '?'}&${kind}_token=${encodeURIComponent(token)}`;
    }
    if (token !== undefined && input.place === 'body' && typeof body === 'string') {
      body = body.replace(/^\{/, () => `{${JSON.stringify(`${kind}_token`)}:${JSON.stringify(token)},`);
    }
    const parameter = input.parameter === OWN ? cast.ownId(route) : input.parameter;
    const path = route.path.replace(/:\w+/g, () => parameter) + input.suffix + search;
    if (body !== null) headers.push(['Content-Type', input.type]);
    return { method: input.method ?? route.method, path, headers, ...(body === null ? {} : { body }) };
  }

  /** Checks that hold for every answer. */
  function expectSound({ status, headers, body: error, text }: RawAnswer, method: string): void {
    tried++;
    seen.set(status, (seen.get(status) ?? 0) + 1);
    expect(status).toBeGreaterThanOrEqual(200);
    if (status >= 500) throw new Error(`${status}: ${text}`);
    expect(headers.get('x-request-id')).toMatch(/^[\w.-]{1,64}$/);
    // The answer to a HEAD has no body that says which 403 it is.
    if (status !== 403 || method !== 'HEAD') {
      expect(headers.has('www-authenticate')).toBe(
        status === 401 || error?.['errorCode'] === 'insufficient_role',
      );
    }
    if (status === 401)
      expect(headers.get('www-authenticate')).toMatch(/^Bearer( [a-z_]+="[^"]*"(, [a-z_]+="[^"]*")*)?$/);
    if (status < 400 || method === 'HEAD') return;
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(error).toMatchObject({
      statusCode: status,
      error: STATUS_CODES[status],
      message: expect.any(String),
      errorCode: expect.stringMatching(/^[a-z_]+$/),
    });
    if (error?.['errorCode'] === 'validation_failed') {
      expect(error['errors']).toEqual(
        expect.arrayContaining([{ field: expect.any(String), messages: [expect.any(String)] }]),
      );
    }
    // Nothing of the inside: no stack, no query, no file.
    expect(text).not.toMatch(/\bat \S+ \(|node_modules|\.[jt]s:\d|SQLITE_|select \*|insert into/i);
  }

  /** The OpenAPI document has the error; a path that leads to no route, and headers that are too large, have no operation. */
  function expectDocumented(route: Route, { status, body }: RawAnswer): void {
    const errors = documented.get(nameOf(route));
    const error = `${status} ${String(body?.['errorCode'])}`;
    if (errors === undefined || status < 400 || status === 404 || status === 431) return;
    expect([nameOf(route), error, [...errors]]).toEqual([
      nameOf(route),
      error,
      expect.arrayContaining([error]),
    ]);
  }

  it(
    'gets an answer that the contract allows',
    async () => {
      const sizes: NodeJS.MemoryUsage[] = [];
      let count = 0;
      await fc.assert(
        fc.asyncProperty(inputs, async (input) => {
          const { route, shown } = fromCell(input.cell);
          const sent = toRequest(input);
          const answer = await sendRaw(port, sent);
          expectSound(answer, sent.method!);
          if (sent.method === route.method) expectDocumented(route, answer);
          if (sent.method === route.method) shownAt.add(`${nameOf(route)}: ${shown}`);
          if (sent.method === route.method && answer.status < 300) opened.add(nameOf(route));
          await cast.recover(shown, route, answer);
          if (++count === Math.floor(RUNS.guided / 2) || count === RUNS.guided) sizes.push(memory());
        }),
        {
          ...REPORT,
          numRuns: RUNS.guided,
          examples: firstInputs(),
          ...(PATH === undefined ? {} : { path: PATH }),
        },
      );
      if (PATH !== undefined) return;
      const [half, whole] = sizes;
      for (const kind of ['heapUsed', 'rss'] as const)
        expect(whole![kind] - half![kind]).toBeLessThan(MOST_GROWTH[kind]);
      // A run proves little unless every route was asked with every kind of token, and inputs passed every guard.
      const all = listRoutes(api.app);
      const known = all.filter((route) => cast.knows(route)).map(nameOf);
      expect(known.length).toBeGreaterThan(15);
      expect(known.filter((name) => !opened.has(name))).toEqual([]);
      const names = all.map(nameOf);
      const asked = names.flatMap((name) => SHOWN.map((shown) => `${name}: ${shown}`));
      expect(asked.filter((cell) => !shownAt.has(cell))).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'that is not HTTP is answered or disconnected',
    async () => {
      // Many at a time: a sender who breaks off is waited for.
      await fc.assert(
        fc.asyncProperty(fc.array(wire, { minLength: 1, maxLength: 16 }), async (messages) => {
          await Promise.all(
            messages.map(async ([first, fields, end, rest]) => {
              const bytes = Buffer.from([first, ...fields, '', rest].join(end), 'latin1');
              const answer = await exchange(port, bytes, true);
              // 0: half a request was cut off, as it should.
              if (answer.status === 0) tried++;
              else expectSound(answer, first.startsWith('HEAD') ? 'HEAD' : 'GET');
            }),
          );
        }),
        { ...REPORT, numRuns: Math.ceil(RUNS.wire / 8) },
      );
    },
    TIMEOUT,
  );

  it('does not affect other users', async () => {
    const { body: profile } = await api.request('GET', '/profile', bystander.access).expect(200);
    expect(profile).toMatchObject({ id: bystander.user.id, username: bystander.user.username, fresh: true });
    // example:begin
    const { body: account } = await api.request('GET', '/transfers', bystander.access).expect(200);
    expect(account).toMatchObject({ balance: 100_000, items: [] });
    // example:end
    await bystander.user.login();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
}

const EVERYWHERE = {
  TOKEN_LOCATIONS: 'header,cookie,query,body',
  TRUSTED_PROXIES: '127.0.0.1',
  CORS_ORIGINS: 'https://app.example',
};
describe('an input [tokens in headers alone, sqlite]', () => fuzz({ env: {}, engine: 'sqlite' }));
describe('an input [tokens anywhere, sqlite]', () => fuzz({ env: EVERYWHERE, engine: 'sqlite' }));
describePostgres('an input [tokens anywhere, postgres]', () => fuzz({ env: EVERYWHERE, engine: 'postgres' }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function memory(): NodeJS.MemoryUsage {
  collect();
  return process.memoryUsage();
}
