import {
  type CanActivate,
  type ExceptionFilter,
  type FactoryProvider,
  RequestMethod,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, ApplicationConfig } from '@nestjs/core';

/*
 * Nest runs global guards in the order in which their modules are imported, and asks global filters in the reverse order.
 * The root module comes first: its guards would run before ours, without `request.user`, and its filters would never be
 * asked. So ours register themselves while providers are created, before Nest registers those of any module.
 * The factories return nothing, which Nest skips. They still provide APP_GUARD and APP_FILTER: Nest then stops the start
 * if ours were not created, for example because a hook is request-scoped.
 */

/** Runs the guard before every other global guard. */
export const firstGuard = (guard: Type<CanActivate>): FactoryProvider<void> => ({
  provide: APP_GUARD,
  inject: [ApplicationConfig, guard],
  useFactory: (config: ApplicationConfig, instance: CanActivate) => config.useGlobalGuards(instance),
});

/** Lets the filter answer what no other global filter answers. */
export const lastFilter = (filter: Type<ExceptionFilter>): FactoryProvider<void> => ({
  provide: APP_FILTER,
  inject: [ApplicationConfig, filter],
  useFactory: (config: ApplicationConfig, instance: ExceptionFilter) => config.useGlobalFilters(instance),
});

const WELL_KNOWN = { path: '/.well-known/jwks.json', requestMethod: RequestMethod.ALL };

/**
 * Excludes the JWKS from a global prefix: RFC 8615 puts well-known paths at the root of the host. To be called after
 * `setGlobalPrefix`, whose own list of exclusions replaces this one, and before routes are registered.
 */
export function keepWellKnownAtRoot(config: ApplicationConfig): void {
  const { exclude = [], ...options } = config.getGlobalPrefixOptions();
  const route = { ...WELL_KNOWN, pathRegex: /^\/\.well-known\/jwks\.json\/?$/ };
  config.setGlobalPrefixOptions({ ...options, exclude: [...exclude, route] });
}
