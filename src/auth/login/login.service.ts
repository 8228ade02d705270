import { Injectable } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type SessionLives } from '../../sessions/sessions.repository.js';
import { PASSWORD_PROOF } from '../../tokens/proof.js';
import { type User } from '../../users/user-store.js';
import { Devices } from './devices.js';
import { FactorRegistry, type PresentedFactors } from '../accounts/factor-registry.js';
import { Logins } from './logins.js';
import { invalidCredentials, PasswordVerifier } from './password-verifier.js';
import { type ProofAttempt } from './proof-rules.js';
import { proofOf, TokenPairs } from './token-pairs.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';

/** Logs users in. */
@Injectable()
export class LoginService {
  constructor(
    private readonly passwords: PasswordVerifier,
    private readonly factors: FactorRegistry,
    private readonly devices: Devices,
    private readonly logins: Logins,
    private readonly pairs: TokenPairs,
  ) {}

  /**
   * Opens a session and issues a fresh token pair for it. Every wrong password looks the same and takes the same time;
   * factors are looked at only after it.
   * @param devices the device tokens that the client presents
   * @throws ApiError `invalid_credentials`, `rate_limited`
   */
  async login(
    { username, password, factors }: { username: string; password: string; factors: PresentedFactors },
    devices: readonly string[],
    caller: Caller,
  ): Promise<IssuedPair> {
    const user = await this.passwords.atLogin(username, password, devices, caller);
    const factor = await this.factors.verify(user, factors, caller);
    return this.open(user, { method: PASSWORD_PROOF, factor }, devices, caller);
  }

  /**
   * The end of a login: opens the session on this device.
   * @param user as they were when the proof was verified
   * @throws ApiError `invalid_credentials` if the user has changed since; the errors of rules that modules add
   */
  async open(
    user: User,
    attempt: ProofAttempt,
    devices: readonly string[],
    caller: Caller,
    lives: SessionLives = {},
  ): Promise<IssuedPair> {
    const contents = await this.pairs.contents(user);
    const knownDevice = this.devices.find(user.id, devices) !== undefined;
    const session = await this.logins.openUnlessChanged(user, { ...caller, knownDevice }, attempt, lives);
    if (!session) throw invalidCredentials('the user changed during the login');
    const { accessTtl } = lives;
    const pair = this.pairs.issue(session, contents, { proof: proofOf(session), accessTtl });
    return { ...pair, device: this.devices.issue(user.id) };
  }
}
