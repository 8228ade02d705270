import { type Provider } from '@nestjs/common';
import { Devices } from './devices.js';
import { FactorRegistry } from '../accounts/factor-registry.js';
import { HashingCapacityGuard } from './hashing-capacity.guard.js';
import { LoginService } from './login.service.js';
import { Logins } from './logins.js';
import { PasswordVerifier } from './password-verifier.js';
import { PasswordService } from './password.service.js';
import { DeviceReader } from './presented-devices.js';
import { FactorReader, ReplacementReader, SeparateFactors } from './presented-factors.js';
import { ProofRules } from './proof-rules.js';
import { RefreshService } from './refresh.service.js';
import { Registration } from './registration.js';
import { TokenPairs } from './token-pairs.js';

/** Registration, login, refresh and change of the password. */
export const LOGIN_PROVIDERS: Provider[] = [
  Registration,
  LoginService,
  RefreshService,
  PasswordService,
  PasswordVerifier,
  HashingCapacityGuard,
  Devices,
  DeviceReader,
  ProofRules,
  FactorRegistry,
  FactorReader,
  ReplacementReader,
  SeparateFactors,
  Logins,
  TokenPairs,
];
