import { type Provider } from '@nestjs/common';
import { Authenticator } from './authenticator.js';
import { RoutePolicies } from './route-policies.js';
import { TokenAuthenticator } from './token-authenticator.js';
import { TokenReader } from './token-reader.js';
import { TokenWatch } from './token-watch.js';

/** Providers that find and check tokens. */
export const GUARD_PROVIDERS: Provider[] = [
  Authenticator,
  RoutePolicies,
  TokenAuthenticator,
  TokenReader,
  TokenWatch,
];

/** Those that other modules need, and the interceptors and pipes that decorators add to other modules. */
export const GUARD_EXPORTS: Provider[] = [Authenticator, TokenReader, TokenWatch];
