import { type TokenKind } from '../keys/key-ring.js';
import { type Acr, isAcr } from './proof.js';
import { TokenError } from './token.errors.js';

export { type TokenKind };

interface CommonClaims {
  iss: string;
  aud: string | string[];
  /** The user. */
  sub: string;
  /** The session: one login on one device. */
  sid: string;
  jti: string;
  /** NumericDate, as `exp` and `auth_time`. */
  iat: number;
  exp: number;
  /** Optional; checked if it is present. */
  nbf?: number;
  /** Claims that the application adds. */
  [extra: string]: unknown;
}

/** RFC 9068, without its `client_id`: there are no OAuth clients. */
export interface AccessClaims extends CommonClaims {
  type: 'access';
  fresh: boolean;
  /**
   * `acr`, `amr` (RFC 8176) and `auth_time` describe one proof: of a fresh token the one that it was issued for, else the
   * strongest of its session, and of these the latest. A refresh carries them over unchanged (RFC 9470 §6.1).
   */
  acr: Acr;
  auth_time: number;
  amr: string[];
  /** RFC 9068 §2.2.3.1. Absent if the user has none. */
  roles?: string[];
}

export interface RefreshClaims extends CommonClaims {
  type: 'refresh';
  /** How often the session has rotated; the session row says whether this is the live generation. */
  gen: number;
}

export interface ClaimsOf {
  access: AccessClaims;
  refresh: RefreshClaims;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value.length > 0;
const isTextList: Check = (value) => Array.isArray(value) && value.every(isText);
const isWholeNumber: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isBoolean: Check = (value) => typeof value === 'boolean';
const isExactly =
  (expected: string): Check =>
  (value) =>
    value === expected;

const COMMON = {
  iss: isText,
  aud: (value: unknown) => isText(value) || isTextList(value),
  sub: isText,
  sid: isText,
  jti: isText,
  iat: isWholeNumber,
  exp: isWholeNumber,
};

/** Optional claims. They must be well-formed if present. */
const OPTIONAL: Record<string, Check> = { nbf: isWholeNumber, roles: isTextList };

/** Tokens of the previous version have no `acr`; it knew passwords only. */
const DEFAULT_ACR: Acr = 'pwd';

/**
 * The required claims of each kind. A missing claim is an error and never has a default: a verifier that treats a token
 * without `type` as an access token, or one without `exp` as endless, accepts tokens that were never issued.
 */
const REQUIRED: { [K in TokenKind]: Record<string, Check> } = {
  access: {
    ...COMMON,
    type: isExactly('access'),
    fresh: isBoolean,
    auth_time: isWholeNumber,
    amr: isTextList,
  },
  refresh: { ...COMMON, type: isExactly('refresh'), gen: isWholeNumber },
};

/** Computed once, because each new token is checked against one of these lists. */
const CHECKS = {
  access: [...checksOf(REQUIRED.access), { name: 'acr', isValid: isAcr, optional: true }],
  refresh: checksOf(REQUIRED.refresh),
};
const FOREIGN_CHECKS = checksOf({
  iss: COMMON.iss,
  aud: COMMON.aud,
  sub: COMMON.sub,
  iat: COMMON.iat,
  exp: COMMON.exp,
});

/** Names that the application's own claims must not use. */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  ...Object.keys(REQUIRED.access),
  ...Object.keys(REQUIRED.refresh),
  ...Object.keys(OPTIONAL),
  'acr',
]);

/** Checks the claims. @throws TokenError `token_invalid` that names the first missing or malformed claim */
export function parseClaims<K extends TokenKind>(kind: K, payload: unknown): ClaimsOf[K] {
  requireClaims(payload, CHECKS[kind], kind);
  const claims = payload as ClaimsOf[K];
  return kind === 'access' && !Object.hasOwn(claims, 'acr') ? { ...claims, acr: DEFAULT_ACR } : claims;
}

/**
 * Converts the claims of a foreign issuer's access token to the form of ours. It is never fresh, has none of our roles and
 * our lowest level, because its `acr` has the issuer's meaning. Its session id can never be one of ours.
 * @throws TokenError `token_invalid`
 */
export function parseForeignClaims(payload: unknown): AccessClaims {
  requireClaims(payload, FOREIGN_CHECKS, undefined);
  const claims = payload as CommonClaims;
  return {
    ...claims,
    jti: isText(claims.jti) ? claims.jti : '',
    sid: `${claims.iss}#${isText(claims.sid) ? claims.sid : ''}`,
    type: 'access',
    fresh: false,
    acr: DEFAULT_ACR,
    auth_time: isWholeNumber(claims['auth_time']) ? (claims['auth_time'] as number) : claims.iat,
    amr: isTextList(claims['amr']) ? (claims['amr'] as string[]) : [],
    roles: [],
  };
}

interface ClaimCheck {
  name: string;
  isValid: Check;
  optional: boolean;
}

function checksOf(required: Record<string, Check>): ClaimCheck[] {
  const list = (checks: Record<string, Check>, optional: boolean) =>
    Object.entries(checks).map(([name, isValid]) => ({ name, isValid, optional }));
  return [...list(OPTIONAL, true), ...list(required, false)];
}

/** @param kind undefined for a foreign issuer's token */
function requireClaims(payload: unknown, checks: readonly ClaimCheck[], kind: TokenKind | undefined): void {
  if (typeof payload !== 'object' || payload === null) {
    throw new TokenError('token_invalid', 'the payload is not a JSON object');
  }
  for (const { name, isValid, optional } of checks) {
    const present = Object.hasOwn(payload, name);
    if (!present && optional) continue;
    if (!present || !isValid((payload as Record<string, unknown>)[name])) {
      const token = kind === undefined ? 'of another issuer' : `of kind ${kind}`;
      throw new TokenError('token_invalid', `claim "${name}" is missing or malformed for a token ${token}`);
    }
  }
}
