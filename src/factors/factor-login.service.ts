import { Injectable } from '@nestjs/common';
import { type Caller, type IssuedPair, TokenError, UserStore, validationFailed } from '../auth/index.js';
import { LoginService } from '../auth/internals.js';
import { type Tx } from '../database/index.js';
import { UsedTokens } from '../sessions/used-tokens.js';
import { type FactorLoginDto } from './factors.dto.js';
import { LoginChallenges } from './login-challenges.js';
import { SecondFactor } from './second-factor.js';

/** The second half of a login. */
@Injectable()
export class FactorLoginService {
  constructor(
    private readonly challenges: LoginChallenges,
    private readonly users: UserStore,
    private readonly factor: SecondFactor,
    private readonly usedTokens: UsedTokens,
    private readonly logins: LoginService,
  ) {}

  /**
   * Opens the session of a login that waited for its second factor. Success uses the challenge up.
   * @throws TokenError `token_expired`, `token_invalid`, or `token_revoked` if the challenge has been used or the
   * credentials have changed; ApiError `invalid_credentials`; RateLimitedError
   */
  async login(
    { challenge, ...codes }: FactorLoginDto,
    devices: readonly string[],
    caller: Caller,
  ): Promise<IssuedPair> {
    const login = this.challenges.read(challenge);
    const user = await this.users.findById(login.id);
    if (user?.disabledAt !== null || user.credentialVersion !== login.credentialVersion)
      throw new TokenError('token_revoked', `login challenge: user ${login.id} has changed since`);
    const factor = await this.factor.verify(user, codes, caller);
    if (!factor) throw validationFailed([{ field: 'otp', messages: ['or recovery_code must be sent'] }]);
    const { acr, amr } = factor;
    const attempt = {
      method: { acr: 'pwd', amr: login.amr } as const,
      factor: {
        acr,
        amr,
        use: async (tx: Tx) => {
          if (!(await this.usedTokens.claim(login.jti, login.expiresAt, tx)))
            throw new TokenError('token_revoked', `login challenge ${login.jti} has been used`);
          await factor.use(tx);
        },
      },
    };
    const { sessionTtl, accessTtl } = login;
    return this.logins.open(user, attempt, devices, caller, { sessionTtl, accessTtl });
  }
}
