/** What a JSON body may be made of. Checked before it is parsed. */
export interface BodyBounds {
  /** Bytes; more is 413 `payload_too_large`. */
  bytes: number;
  /** Members of one object, or elements of one list; more is 400 `validation_failed`. */
  members: number;
  /** Objects and lists inside one another; more is 400 `validation_failed`. */
  levels: number;
}

/** Routes of a team. A route that takes uploads sets its own `bodyLimit` (`@RouteConfig`). */
const DEFAULT_BOUNDS: BodyBounds = { bytes: 65_536, members: 1_000, levels: 32 };

/** By the beginning of the route's path. Anybody may call these, and none needs more than a few hundred bytes. */
const BOUNDS_OF_ROUTES: readonly (readonly [prefix: string, bounds: BodyBounds])[] = [
  ['/auth/', { bytes: 8_192, members: 64, levels: 8 }],
];

/** @param route what the route is declared as, `/auth/login`; undefined where none matched */
export function boundsOf(route: string | undefined): BodyBounds {
  return BOUNDS_OF_ROUTES.find(([prefix]) => route?.startsWith(prefix))?.[1] ?? DEFAULT_BOUNDS;
}
