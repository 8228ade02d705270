import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import {
  Accounts,
  ApiError,
  AuditLog,
  AuthOptions,
  type Caller,
  Clock,
  type Principal,
  validationFailed,
} from '../auth/index.js';
import {
  AccountChanges,
  changedMeanwhile,
  FactorRegistry,
  RateLimits,
  toFactorSummary,
} from '../auth/internals.js';
import { Database } from '../database/index.js';
import { NO_PASSWORD } from '../passwords/stored-hash.js';
import { type ChallengePurpose, PasskeyChallenges, wrongChallenge } from './passkey-challenges.js';
import { type CreationOptionsDto, type PasskeyDto, type RegisterPasskeyDto } from './passkeys.dto.js';
import { PasskeyRows } from './passkeys.repository.js';
import { type Passkey } from './passkeys.table.js';
import { registrationOf } from './responses.js';
import { WebAuthn } from './webauthn.js';

declare module '../auth/index.js' {
  interface ErrorCodes {
    last_way_in: 409;
  }
}

export const MAX_PASSKEYS = 20;
/** WebAuthn §5.4.3: at most 64 bytes. */
const HANDLE_BYTES = 32;
const REGISTRATIONS = { name: 'passkey-registration', points: 30, seconds: 300 };

/**
 * Lists and changes a user's own passkeys. Each change needs a token of the strongest level that the user has. Adding and
 * removing moves the credential version, so that logins in progress end, and revokes no session.
 */
@Injectable()
export class PasskeysService {
  constructor(
    private readonly db: Database,
    private readonly accounts: Accounts,
    private readonly passkeys: PasskeyRows,
    private readonly challenges: PasskeyChallenges,
    private readonly webauthn: WebAuthn,
    private readonly registry: FactorRegistry,
    private readonly changes: AccountChanges,
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly options: AuthOptions,
  ) {}

  /** @throws TokenError `fresh_token_required`; ApiError `validation_failed` for too many passkeys */
  async registrationOptions(who: Principal): Promise<CreationOptionsDto> {
    const user = await this.accounts.activeUserOf(who.userId);
    const existing = await this.db.inTransaction(async (tx) => {
      await this.registry.requireStrongest(who, tx);
      return this.passkeys.listOf(user.id, tx);
    });
    requireRoom(existing);
    const handle = existing[0]
      ? Buffer.from(existing[0].user_handle, 'base64url')
      : randomBytes(HANDLE_BYTES);
    const { challenge, bytes } = this.challenges.issue(registrationBy(who), {
      handle: handle.toString('base64url'),
      credentialVersion: user.credentialVersion,
    });
    const { issuer } = this.options.tokens;
    const name = user.username;
    return {
      challenge,
      public_key: await this.webauthn.creationOptions({ name, handle }, bytes, issuer, existing),
    };
  }

  /** @throws TokenError `fresh_token_required`; ApiError `validation_failed`; RateLimitedError */
  async register(
    who: Principal,
    { challenge: given, response, name = 'Passkey' }: RegisterPasskeyDto,
    caller: Caller,
  ): Promise<PasskeyDto> {
    await this.limits.count(REGISTRATIONS, who.userId);
    const challenge = this.challenges.read(given, registrationBy(who));
    const { handle, credentialVersion } = challenge;
    if (handle === undefined) throw wrongChallenge('is not of a registration; ask for new options');
    const credential = registrationOf('response', response);
    const proved = await this.webauthn.verifyRegistration(credential, challenge.bytes).catch(
      // The bytes are the client's, so an error of the library is a refusal, not a fault of the server.
      (error: unknown) => {
        throw refused(`response was not accepted: ${(error as Error).message}`);
      },
    );
    let added: Passkey | undefined;
    await this.changes.apply(
      () => this.accounts.activeUserOf(who.userId),
      { ...actingAs(who), caller },
      (user) => {
        if (user.credentialVersion !== credentialVersion) throw changedMeanwhile();
        return {
          change: {},
          events: [{ event: 'authn_factor_added', cause: 'passkey' }],
          also: async (tx) => {
            await this.registry.requireStrongest(who, tx);
            requireRoom(await this.passkeys.listOf(user.id, tx));
            await this.challenges.spend(tx, challenge);
            const owned = { user_id: user.id, user_handle: handle, name, created_at: this.clock.now() };
            added = await this.passkeys.add(tx, { ...proved, ...owned });
            if (!added) throw refused('response is of a passkey that is registered already');
          },
        };
      },
    );
    if (!added) throw changedMeanwhile();
    return toFactorSummary(added);
  }

  /** @throws TokenError `fresh_token_required`; ApiError `not_found` */
  async rename(who: Principal, id: string, name: string, caller: Caller): Promise<PasskeyDto> {
    const renamed = await this.db.inTransaction(async (tx) => {
      await this.registry.requireStrongest(who, tx);
      const passkey = await this.passkeys.rename(tx, who.userId, id, name);
      if (!passkey) throw notFound();
      const { userId, sessionId } = who;
      const event = { event: 'user_updated', cause: 'passkey_renamed', at: this.clock.now() } as const;
      await this.audit.record({ ...event, actorId: userId, subjectId: userId, sessionId }, caller, tx);
      return passkey;
    });
    return toFactorSummary(renamed);
  }

  /** @throws TokenError `fresh_token_required`; ApiError `not_found`, `last_way_in` */
  async remove(who: Principal, id: string, caller: Caller): Promise<void> {
    await this.changes.apply(
      () => this.accounts.activeUserOf(who.userId),
      { ...actingAs(who), caller },
      (user) => ({
        change: {},
        events: [{ event: 'authn_factor_removed', cause: 'passkey' }],
        also: async (tx) => {
          await this.registry.requireStrongest(who, tx);
          if (!(await this.passkeys.remove(tx, user.id, id))) throw notFound();
          if (user.passwordHash === NO_PASSWORD && (await this.passkeys.listOf(user.id, tx)).length === 0)
            throw new ApiError(
              409,
              'last_way_in',
              'The account has no password: set one, or add another passkey, before you remove the last one',
            );
        },
      }),
    );
  }
}

function registrationBy({ userId, sessionId }: Principal): ChallengePurpose {
  return { purpose: 'register', userId, sessionId };
}

function actingAs({ userId, sessionId }: Principal) {
  return { actorId: userId, sessionId };
}

function requireRoom(existing: readonly Passkey[]): void {
  if (existing.length >= MAX_PASSKEYS) throw refused(`the account has ${MAX_PASSKEYS} passkeys, the maximum`);
}

function refused(message: string): ApiError {
  return validationFailed([{ field: 'response', messages: [message] }]);
}

function notFound(): ApiError {
  return new ApiError(404, 'not_found', 'No such passkey');
}
