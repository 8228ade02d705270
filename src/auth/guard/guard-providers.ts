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
