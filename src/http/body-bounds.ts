/** Bounds of a JSON body, checked before it is parsed. */
export interface BodyBounds {
  /** Bytes; more is 413 `payload_too_large`. */
  bytes: number;
  /** Members of one object, or elements of one list; more is 400 `validation_failed`. */
  members: number;
  /** Depth of nested objects and lists; more is 400 `validation_failed`. */
  levels: number;
}

/** The routes of features. A route that takes uploads sets its own `bodyLimit` (`@RouteConfig`). */
const DEFAULT_BOUNDS: BodyBounds = { bytes: 65_536, members: 1_000, levels: 32 };

/** These routes are open to strangers, and need a few hundred bytes. A global prefix and a version may come before `/auth/`. */
const AUTH_ROUTE = /^(?:\/[^/]+){0,3}\/auth\//;
const AUTH_BOUNDS: BodyBounds = { bytes: 8_192, members: 64, levels: 8 };

/** Routes that take the answer of a WebAuthn authenticator: an RSA key, or a long credential id. */
const PASSKEY_ROUTE = /\/auth\/(?:passkeys|login\/passkey|reauthenticate)(?:\/|$)/;
const PASSKEY_BYTES = 16_384;

/** @param route the declared path, such as `/auth/login`; undefined if none matched */
export function boundsOf(route = ''): BodyBounds {
  if (!AUTH_ROUTE.test(route)) return DEFAULT_BOUNDS;
  return PASSKEY_ROUTE.test(route) ? { ...AUTH_BOUNDS, bytes: PASSKEY_BYTES } : AUTH_BOUNDS;
}
