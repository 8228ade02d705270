import { type Provider } from '@nestjs/common';
import { Authenticator } from './authenticator.js';
import { RoutePolicies } from './route-policies.js';
import { TokenAuthenticator } from './token-authenticator.js';
import { TokenReader } from './token-reader.js';
import { TokenWatch } from './token-watch.js';

/** What finds and checks tokens. */
export const GUARD_PROVIDERS: Provider[] = [
  Authenticator,
  RoutePolicies,
  TokenAuthenticator,
  TokenReader,
  TokenWatch,
];

/** What other modules use of these, and interceptors and pipes that decorators add to them. */
export const GUARD_EXPORTS: Provider[] = [Authenticator, TokenReader, TokenWatch];
