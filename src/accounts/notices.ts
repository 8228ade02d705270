import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type AuditEvent, AuditLog, type Caller, UserStore } from '../auth/index.js';
import { type Tx } from '../database/index.js';
import { Outbox } from '../mail/index.js';
import { AccountsSettings } from './accounts-settings.js';
import { type Notice } from './notice-names.js';

/** Logins that are compared with a new one. */
const MAX_LOGINS = 50;

/** The notice for each audit event, including events of other modules. */
const NOTICE_OF: Partial<Record<string, Notice>> = {
  authn_login_success: 'new_device',
  authn_password_change: 'password_changed',
  authn_token_reuse: 'token_reused',
  authn_factor_added: 'factor_added',
  authn_recovery_codes_renewed: 'factor_added',
  authn_factor_removed: 'factor_removed',
  authn_recovery_code_used: 'recovery_code_used',
};

/** Tells the owner of an account what happened to it: a mail in the transaction of the audit event. */
@Injectable()
export class Notices implements OnModuleInit {
  constructor(
    private readonly audit: AuditLog,
    private readonly users: UserStore,
    private readonly outbox: Outbox,
    private readonly settings: AccountsSettings,
  ) {}

  onModuleInit(): void {
    this.audit.react((entry, caller, tx) => this.react(entry, caller, tx));
  }

  private async react(entry: AuditEvent, caller: Caller, tx: Tx): Promise<void> {
    const { event, cause, subjectId: userId, at } = entry;
    if (userId === undefined) return;
    if (event === 'user_deleted') return this.outbox.deleteOf(tx, userId);
    const kind = cause === 'password_reset' ? 'password_reset' : NOTICE_OF[event];
    if (kind === undefined || !this.outbox.isOn || this.settings.noticesOff.includes(kind)) return;
    if (kind === 'new_device' && caller.knownDevice) return;
    if (typeof (await this.users.findById(userId, tx))?.email !== 'string') return;
    if (kind === 'new_device' && !(await isNewDevice(userId, caller, tx))) return;
    const { ip, userAgent } = caller;
    const data = {
      at: new Date(at).toISOString(),
      ...(ip === null ? {} : { ip }),
      ...(userAgent === null ? {} : { userAgent }),
    };
    await this.outbox.add(tx, { kind, userId, data });
  }
}

/**
 * For a client without a device token, which is recognised by address and user agent. The first login of an account
 * causes no notice.
 */
async function isNewDevice(userId: string, { ip, userAgent }: Caller, tx: Tx): Promise<boolean> {
  const logins = await tx
    .selectFrom('audit_events')
    .select(['ip', 'user_agent'])
    .where('subject_id', '=', userId)
    .where('event', '=', 'authn_login_success')
    .orderBy('at', 'desc')
    .limit(MAX_LOGINS)
    .execute();
  return logins.length > 0 && !logins.some((login) => login.ip === ip && login.user_agent === userAgent);
}
