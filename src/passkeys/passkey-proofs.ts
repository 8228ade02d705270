import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  type Acr,
  ApiError,
  AuditLog,
  type Caller,
  Clock,
  type Principal,
  type User,
  UserStore,
} from '../auth/index.js';
import {
  type Factor,
  FactorRegistry,
  type FactorSummary,
  toFactorSummary,
  type PasswordReplacement,
  type ProvedFactor,
  type RateLimitReservation,
  RateLimits,
} from '../auth/internals.js';
import { type Tx } from '../database/index.js';
import { PasskeyChallenges, type ReadChallenge } from './passkey-challenges.js';
import { PasskeyProofDto } from './passkeys.dto.js';
import { PasskeyRows } from './passkeys.repository.js';
import { type Passkey } from './passkeys.table.js';
import { assertionOf } from './responses.js';
import { WebAuthn } from './webauthn.js';

/**
 * RFC 8176: a key was used (`pop`; without an attestation it is unknown whether hardware holds it), the user was there
 * (`user`), and was verified by the authenticator, which makes two factors (`mfa`).
 */
const AMR = ['pop', 'user', 'mfa'];

/** Passkeys as a way to prove who the user is: at login, and in a session instead of a password. */
@Injectable()
export class PasskeyProofs implements Factor, OnModuleInit {
  readonly kind = 'passkey';
  readonly insteadOfPassword: PasswordReplacement = {
    body: PasskeyProofDto,
    verify: (who, body, caller) => this.inSession(who, body as PasskeyProofDto, caller),
  };

  constructor(
    private readonly passkeys: PasskeyRows,
    private readonly challenges: PasskeyChallenges,
    private readonly webauthn: WebAuthn,
    private readonly users: UserStore,
    private readonly registry: FactorRegistry,
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add(this);
  }

  async levelOf(userId: string, tx?: Tx): Promise<Acr | undefined> {
    return (await this.passkeys.listOf(userId, tx)).length > 0 ? 'phr' : undefined;
  }

  async list(userId: string, tx?: Tx): Promise<FactorSummary[]> {
    return (await this.passkeys.listOf(userId, tx)).map(toFactorSummary);
  }

  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    return this.passkeys.removeAll(tx, userId);
  }

  /** @throws ApiError `validation_failed` for the challenge, `invalid_credentials`; RateLimitedError */
  async atLogin(
    challenge: string,
    response: object,
    caller: Caller,
  ): Promise<{ user: User; factor: ProvedFactor }> {
    const read = this.challenges.read(challenge, { purpose: 'login' });
    return this.prove('response', response, read, caller, await this.limits.nameless(caller));
  }

  /** @throws ApiError `validation_failed` for the challenge, `invalid_credentials`; RateLimitedError */
  private async inSession(
    { userId, sessionId }: Principal,
    { challenge, passkey }: PasskeyProofDto,
    caller: Caller,
  ): Promise<{ user: User; factor: ProvedFactor }> {
    const read = this.challenges.read(challenge, { purpose: 'step-up', userId, sessionId });
    const attempt = await this.limits.guess({ account: userId, known: `session ${sessionId}` }, caller);
    return this.prove('passkey', passkey, read, caller, attempt, userId);
  }

  /** @param owner the user to whom the passkey must belong; undefined at login */
  private async prove(
    field: string,
    given: object,
    challenge: ReadChallenge,
    caller: Caller,
    attempt: RateLimitReservation,
    owner?: string,
  ): Promise<{ user: User; factor: ProvedFactor }> {
    const response = assertionOf(field, given);
    const passkey = await this.passkeys.findByCredential(response.id);
    const subjectId = owner ?? passkey?.user_id;
    const fail = async (cause: string, reason: string) => {
      const failed = {
        event: 'authn_factor_fail',
        outcome: 'fail',
        subjectId,
        at: this.clock.now(),
      } as const;
      await this.audit.record({ ...failed, cause }, caller);
      // Once for each window: the refused attempts after this one leave no row.
      for (const limit of attempt.usedUp())
        await this.audit.record({ ...failed, event: 'authn_factor_fail_max', cause: limit }, caller);
      return refused(reason);
    };
    if (!passkey) throw await fail('unknown_passkey', 'unknown passkey');
    const { user_id: userId, user_handle: handle } = passkey;
    if (owner !== undefined && owner !== userId)
      throw await fail('passkey_of_another_user', `passkey of user ${userId} in a session of ${owner}`);
    // At login the handle says who logs in (WebAuthn §7.2, step 6); in a session it may be absent.
    const claimed = response.response.userHandle;
    if (claimed === undefined ? owner === undefined : claimed !== handle)
      throw await fail('wrong_passkey', 'wrong user handle');
    const counter = await this.webauthn.verifyAssertion(response, passkey, challenge.bytes).catch(
      // The bytes are the client's, so an error of the library is a refusal, not a fault of the server.
      async (error: unknown) => {
        throw await fail('wrong_passkey', (error as Error).message);
      },
    );
    if (isBehind(counter, passkey)) throw await fail('passkey_counter', counterMessage(counter, passkey));
    const user = await this.users.findById(userId);
    if (user?.disabledAt !== null) throw await fail('account_disabled', `account ${userId} is disabled`);
    await attempt.succeeded();
    return { user, factor: this.factorOf(passkey, counter, challenge) };
  }

  private factorOf(passkey: Passkey, counter: number, challenge: ReadChallenge): ProvedFactor {
    return {
      acr: 'phr',
      amr: AMR,
      use: async (tx) => {
        await this.challenges.spend(tx, challenge);
        if (await this.passkeys.use(tx, passkey.id, counter, this.clock.now())) return;
        // Removed meanwhile, or used by a copy at the same moment. Not recorded: the transaction is rolled back.
        const failed = { event: 'authn_factor_fail', outcome: 'fail', cause: 'passkey_counter' } as const;
        this.audit.announce({ ...failed, subjectId: passkey.user_id, at: this.clock.now() });
        throw refused(counterMessage(counter, passkey));
      },
    };
  }
}

/** WebAuthn §6.1.1: if it is, there may be a copy of the private key. Authenticators without a counter always send 0. */
function isBehind(counter: number, passkey: Passkey): boolean {
  return (counter > 0 || passkey.counter > 0) && counter <= passkey.counter;
}

function counterMessage(counter: number, passkey: Passkey): string {
  return `passkey ${passkey.id}: counter ${counter} is not ahead of ${passkey.counter}, or it was removed`;
}

function refused(reason: string): ApiError {
  return new ApiError(401, 'invalid_credentials', 'This passkey was not accepted', { reason });
}
