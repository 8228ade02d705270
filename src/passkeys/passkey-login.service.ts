import { Injectable } from '@nestjs/common';
import { ApiError, type Caller, type IssuedPair, type Principal } from '../auth/index.js';
import { LoginService } from '../auth/internals.js';
import { PasskeyChallenges } from './passkey-challenges.js';
import { PasskeyProofs } from './passkey-proofs.js';
import { type PasskeyLoginDto, type RequestOptionsDto } from './passkeys.dto.js';
import { PasskeyRows } from './passkeys.repository.js';
import { WebAuthn } from './webauthn.js';

/** Login by passkey, without a name, and the options of a step-up. */
@Injectable()
export class PasskeyLoginService {
  constructor(
    private readonly proofs: PasskeyProofs,
    private readonly passkeys: PasskeyRows,
    private readonly challenges: PasskeyChallenges,
    private readonly webauthn: WebAuthn,
    private readonly logins: LoginService,
  ) {}

  /** Returns the same kind of options for everybody, which reveal nothing about any account. Writes nothing. */
  async options(): Promise<RequestOptionsDto> {
    const { challenge, bytes } = this.challenges.issue({ purpose: 'login' });
    return { challenge, public_key: await this.webauthn.requestOptions(bytes, []) };
  }

  /** @throws ApiError `validation_failed` for the challenge, `invalid_credentials`; RateLimitedError */
  async login(
    { challenge, response }: PasskeyLoginDto,
    devices: readonly string[],
    caller: Caller,
  ): Promise<IssuedPair> {
    const { user, factor } = await this.proofs.atLogin(challenge, response, caller);
    return this.logins.open(user, { method: { acr: 'phr', amr: [] }, factor }, devices, caller);
  }

  /** @throws ApiError `not_found` for a user without a passkey */
  async stepUpOptions({ userId, sessionId }: Principal): Promise<RequestOptionsDto> {
    const allowed = await this.passkeys.listOf(userId);
    if (allowed.length === 0) throw new ApiError(404, 'not_found', 'The user has no passkey');
    const { challenge, bytes } = this.challenges.issue({ purpose: 'step-up', userId, sessionId });
    return { challenge, public_key: await this.webauthn.requestOptions(bytes, allowed) };
  }
}
