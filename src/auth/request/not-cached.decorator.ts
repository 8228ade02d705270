import { SetMetadata } from '@nestjs/common';

/**
 * The metadata key of `@CacheKey` of `@nestjs/cache-manager`, whose value may be a function of the request. Not imported,
 * because most applications do not install that package.
 */
const CACHE_KEY = 'cache_module:cache_key';

/**
 * Excludes a handler from `CacheInterceptor` of `@nestjs/cache-manager`, which does not cache a route without a key. Its
 * usual key is the URL, so it would send one user's answer to the next user.
 */
export const NotCached = (): MethodDecorator => SetMetadata(CACHE_KEY, () => undefined);
