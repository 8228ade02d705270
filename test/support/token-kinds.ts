import { JwtService } from '@nestjs/jwt';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { decode, type Jwt } from 'jsonwebtoken';
import { generateKeySet } from '../../src/keys/key-file.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { type TokenKind } from '../../src/tokens/token-claims.js';
import { type TestApp, type TestLogin } from './create-test-app.js';

/** What a client may show at a route. */
export const TOKEN_KINDS = [
  'none',
  'garbage',
  'expired access',
  'expired refresh',
  'fresh access',
  'stale access',
  'refresh',
  'wrong issuer',
  'wrong audience',
  'wrong key',
  'wrong typ',
  'revoked access',
  'revoked refresh',
] as const;

export type ShownToken = (typeof TOKEN_KINDS)[number];

/**
 * Makes each kind for a session of its own; the forged ones from a token of the kind that the route wants. Warm: each
 * access token has been let in once, while it was good, as was the genuine one behind each forged one.
 */
export async function showToken(
  api: TestApp,
  shown: ShownToken,
  wanted: TokenKind,
  { warm = false } = {},
): Promise<string | undefined> {
  if (shown === 'none') return undefined;
  if (shown === 'garbage') return 'not.a.token';
  const login = await api.login();
  const genuine = wanted === 'access' ? login.access : login.refresh;
  const warmed = async (token: string) => {
    if (warm) await api.request('GET', '/profile', token).expect(200);
    return token;
  };
  await warmed(login.access);
  switch (shown) {
    case 'fresh access':
      return login.access;
    case 'stale access':
      return warmed((await login.rotate()).access_token);
    case 'refresh':
      return login.refresh;
    case 'expired access':
      return warmed(forge(api, login.access, { exp: api.clock.now() / 1000 + 1 })).finally(() =>
        api.clock.advance('1s'),
      );
    case 'expired refresh':
      return forge(api, login.refresh, { exp: api.clock.now() / 1000 });
    case 'wrong issuer':
      return forge(api, genuine, { iss: 'freshgate/' });
    case 'wrong audience':
      return forge(api, genuine, { aud: 'another-api' });
    case 'wrong key':
      return forge(api, genuine, {}, {}, strangersKey(wanted));
    case 'wrong typ':
      return forge(api, genuine, {}, { typ: 'JWT' });
    case 'revoked access':
      return ended(api, login).then(() => login.access);
    case 'revoked refresh':
      return ended(api, login).then(() => login.refresh);
  }
}

/** A token like the given one, with other claims or header members, signed by our key or by another. */
export function forge(
  api: TestApp,
  token: string,
  claims: object,
  header: object = {},
  key?: KeyObject,
): string {
  const { header: original, payload } = decode(token, { complete: true }) as Jwt;
  const ring = api.get(KeyRing).find(String(original.kid), api.clock.now());
  if (!ring?.signWith) throw new Error('the token is not ours');
  return new JwtService().sign(
    { ...(payload as object), ...claims },
    {
      privateKey: key ?? ring.signWith,
      algorithm: ring.alg,
      header: { ...original, alg: ring.alg, ...header },
    },
  );
}

function strangersKey(kind: TokenKind): KeyObject {
  if (kind === 'access') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return new KeyRing(generateKeySet(), 0).signingKey('refresh', 0).signWith;
}

async function ended(api: TestApp, login: TestLogin): Promise<void> {
  await api.request('POST', '/auth/logout', login.access).expect(204);
}

/**
 * A token like the given one in which anything is different, signed by the key that its header names: for what no
 * library would write. `undefined` takes a member away.
 */
export function forgeFreely(
  api: TestApp,
  token: string,
  claims: object,
  header: object = {},
  secret?: string,
): string {
  const { header: original, payload } = decode(token, { complete: true }) as Jwt;
  const key = api.get(KeyRing).find(String(original.kid), api.clock.now())?.signWith;
  if (!key) throw new Error('the token is not ours');
  const input = [
    { ...original, ...header },
    { ...(payload as object), ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature =
    secret !== undefined || key.type === 'secret'
      ? createHmac('sha256', secret ?? key)
          .update(input)
          .digest()
      : sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
