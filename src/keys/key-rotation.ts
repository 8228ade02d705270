import { toNumericDate } from '../time/clock.js';
import { formatDuration } from '../time/duration.js';
import { DEFAULT_ALGORITHM, generateKey } from './key-file.js';
import {
  findSigningKey,
  JWKS_MAX_AGE_SECONDS,
  KeyRingError,
  type KeyUse,
  type PrivateJwk,
  type PrivateJwkSet,
  readKeySet,
  type RingKey,
  type SigningAlgorithm,
  type TokenKind,
} from './key-ring.js';

/** Seconds for clocks that differ, and for the change to reach every instance. */
export const LEEWAY_SECONDS = 60;
/** Seconds before a new key signs: by then every cache of the JWKS has been renewed. */
export const LEAD_SECONDS = JWKS_MAX_AGE_SECONDS + LEEWAY_SECONDS;

export interface Change<T> {
  set: PrivateJwkSet;
  result: T;
}

export interface Removal {
  kid: string;
  /** Null for a foreign issuer's key. */
  kind: KeyUse | null;
  signed: boolean;
  /** The key that signs from now on, if the removed one signed. */
  successor: string | null;
  /** Whether the successor was created now. */
  made: boolean;
}

/** Adds a key of the kind, which signs once all caches can know it, or at once if no key signs. @throws KeyRingError */
export function rotate(
  set: PrivateJwkSet,
  kind: KeyUse,
  now: number,
  alg?: SigningAlgorithm,
): Change<PrivateJwk> {
  const newest = inOrder(readKeySet(set), kind).at(-1);
  return add(set, generateKey(kind, alg ?? newest?.alg ?? DEFAULT_ALGORITHM[kind]), now);
}

/** Adds this key, which signs as one of `rotate` does. @throws KeyRingError, also if the file has it already */
export function add(set: PrivateJwkSet, jwk: PrivateJwk, now: number): Change<PrivateJwk> {
  const kind = jwk.token_use;
  const all = readKeySet(set);
  if (all.some(({ kid }) => kid === jwk.kid))
    throw new KeyRingError(`key "${jwk.kid}" is in the file already`);
  const keys = inOrder(all, kind);
  const newest = keys.at(-1);
  if (newest && newest.signsFrom > now) {
    throw new KeyRingError(
      `key "${newest.kid}" is waiting, and signs ${kind} tokens from ${toTime(newest.signsFrom)} on; try again after that`,
    );
  }
  const signing = findSigningKey(keys, kind, now);
  // At the latest at the old key's end, which an operator may have written: there must always be a key that signs.
  const start = signing ? Math.min(now + LEAD_SECONDS * 1000, signing.verifiesUntil) : now;
  const added: PrivateJwk = { ...jwk, signs_from: toNumericDate(start) };
  return { set: { ...set, keys: [...set.keys, added] }, result: added };
}

/**
 * Sets the end of keys to the expiry of the last token that they can have signed: for one key, which must have a
 * successor, or for every key that has a successor and no end. Never for a factor key: authenticators derive from it as
 * long as they are enrolled. `ttl`: milliseconds. @throws KeyRingError
 */
export function retire(
  set: PrivateJwkSet,
  ttl: Record<TokenKind, number>,
  now: number,
  kid?: string,
): Change<PrivateJwk[]> {
  const keys = readKeySet(set);
  const ends = new Map<string, number>();
  for (const key of kid === undefined ? keys : [named(keys, kid)]) {
    const refusal = whyNotRetired(keys, key, now);
    const successor = successorOf(keys, key, now);
    if (successor && refusal === undefined && key.kind !== 'factor') {
      const lastToken = Math.max(now, successor.signsFrom) + ttl[key.kind];
      ends.set(key.kid, Math.ceil(lastToken / 1000) + LEEWAY_SECONDS);
    } else if (kid !== undefined) throw new KeyRingError(`key "${kid}" ${refusal}`);
  }
  const changed = set.keys.map((jwk) => {
    const end = ends.get(jwk.kid);
    return end === undefined ? jwk : { ...jwk, verifies_until: end };
  });
  return { set: { ...set, keys: changed }, result: changed.filter((jwk) => ends.has(jwk.kid)) };
}

/**
 * Removes a key that an attacker may have. If it signed, its successor signs at once, or a new key if there is none. If it
 * did not sign yet, the key that signs stays and loses its end, which was computed for the removed successor.
 */
export function removeNow(set: PrivateJwkSet, now: number, kid: string): Change<Removal> {
  const keys = readKeySet(set);
  const key = named(keys, kid);
  const signed = findSigningKey(keys, key.kind, now)?.kid === kid;
  const kind = key.issuer === null ? key.kind : null;
  const rest = set.keys.filter((jwk) => jwk.kid !== kid);
  const result: Removal = { kid, kind, signed, successor: null, made: false };
  if (!signed) {
    const waited = key.issuer === null && key.signsFrom > now;
    const signing = waited ? findSigningKey(keys, key.kind, now)?.kid : undefined;
    const kept = rest.map((jwk) => (jwk.kid === signing ? withoutEnd(jwk) : jwk));
    return { set: { ...set, keys: kept }, result };
  }
  const successor = successorOf(keys, key, now);
  const signsFrom = toNumericDate(now);
  if (successor) {
    const changed = rest.map((jwk) => (jwk.kid === successor.kid ? { ...jwk, signs_from: signsFrom } : jwk));
    return { set: { ...set, keys: changed }, result: { ...result, successor: successor.kid } };
  }
  const made = { ...generateKey(key.kind, key.alg), signs_from: signsFrom };
  return {
    set: { ...set, keys: [...rest, made] },
    result: { ...result, successor: made.kid, made: true },
  };
}

/** An operator's clock that is ahead must not remove a key that servers still use. */
const KEEP_ENDED_MS = 86_400_000;

/** Drops the keys that ended more than a day ago: they verify nothing, and could still be stolen. */
export function withoutEnded(set: PrivateJwkSet, now: number): Change<string[]> {
  const ended = readKeySet(set)
    .filter(({ verifiesUntil }) => verifiesUntil + KEEP_ENDED_MS <= now)
    .map(({ kid }) => kid);
  return { set: { ...set, keys: set.keys.filter(({ kid }) => !ended.includes(kid)) }, result: ended };
}

function withoutEnd(jwk: PrivateJwk): PrivateJwk {
  const { verifies_until: _, ...rest } = jwk;
  return rest;
}

/** Describes the state of a key at a time, for the operator. */
export function stateOf(keys: readonly RingKey[], key: RingKey, now: number): string {
  const end = key.verifiesUntil === Infinity ? '' : ` until ${toTime(key.verifiesUntil)}`;
  if (key.verifiesUntil <= now) return `ended ${toTime(key.verifiesUntil)}`;
  if (key.issuer !== null) return `verifies${end} for the foreign issuer ${key.issuer}`;
  if (key.signsFrom > now) return `signs from ${toTime(key.signsFrom)}`;
  if (findSigningKey(keys, key.kind, now)?.kid === key.kid)
    return end === '' ? 'signs' : `signs, verifies${end}`;
  return `verifies${end}`;
}

/** RFC 3339, in whole seconds. */
export function toTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Sorts our keys of a kind by when they start to sign; of equally new keys, the first in the file wins. */
function inOrder(keys: readonly RingKey[], kind: KeyUse): RingKey[] {
  return keys
    .filter((key) => key.kind === kind && key.issuer === null)
    .toReversed()
    .toSorted((a, b) => a.signsFrom - b.signsFrom);
}

function successorOf(keys: readonly RingKey[], key: RingKey, now: number): RingKey | undefined {
  const order = inOrder(keys, key.kind);
  const at = order.indexOf(key);
  // A key that ends before it would sign is no successor.
  return at < 0
    ? undefined
    : order.slice(at + 1).find((next) => Math.max(now, next.signsFrom) < next.verifiesUntil);
}

function whyNotRetired(keys: readonly RingKey[], key: RingKey, now: number): string | undefined {
  if (key.issuer !== null) return `is a foreign issuer's; \`retire ${key.kid} --now\` removes it`;
  if (key.kind === 'factor')
    return `is for second factors, and stays while authenticators derive from it; \`retire ${key.kid} --now\` removes it, and their users need recovery codes`;
  if (key.verifiesUntil !== Infinity)
    return `is retired already, and verifies until ${toTime(key.verifiesUntil)}`;
  if (!successorOf(keys, key, now))
    return `has no successor: rotate first (a new key signs ${formatDuration(LEAD_SECONDS * 1000)} later)`;
  return undefined;
}

function named(keys: readonly RingKey[], kid: string): RingKey {
  const key = keys.find((each) => each.kid === kid);
  if (!key) throw new KeyRingError(`no key has the "kid" "${kid}"; \`npm run keys -- list\` shows all`);
  return key;
}
