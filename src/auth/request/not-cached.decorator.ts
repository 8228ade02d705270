import { SetMetadata } from '@nestjs/common';

/**
 * The key under which `@CacheKey` of `@nestjs/cache-manager` keeps its value, which may be a function of the request. By
 * value: most applications have not installed that package.
 */
const CACHE_KEY = 'cache_module:cache_key';

/**
 * Keeps `CacheInterceptor` of `@nestjs/cache-manager` away from a handler, as it does not cache a route without a key. Its
 * usual key is the URL, so it would give one user's answer to the next.
 */
export const NotCached = (): MethodDecorator => SetMetadata(CACHE_KEY, () => undefined);
