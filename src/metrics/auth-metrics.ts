import { Injectable } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '../auth/index.js';
import { RevokedSessions, HashingQueue, RevocationFeed } from '../auth/internals.js';
import { Purger } from '../database/index.js';
import { Metrics } from './metrics.js';

/**
 * Counts what the audit log announces: each outcome once, after its commit. `auth/` knows nothing of metrics.
 */
@Injectable()
export class AuthMetrics {
  constructor(
    metrics: Metrics,
    audit: AuditLog,
    revoked: RevokedSessions,
    feed: RevocationFeed,
    hashing: HashingQueue,
    purger: Purger,
  ) {
    const events = metrics.counter('events_total', 'Events of the audit log', ['event', 'outcome']);
    const logins = metrics.counter('logins_total', 'Logins: success, or why they failed', ['outcome']);
    const refreshes = metrics.counter('refreshes_total', 'Refresh tokens presented, by outcome', ['outcome']);
    audit.listen((entry) => {
      const { event, outcome = 'success' } = entry;
      events.inc({ event, outcome });
      if (event === 'authn_login_success') logins.inc({ outcome: 'success' });
      if (event === 'authn_login_fail') logins.inc({ outcome: knownCause(entry, LOGIN_CAUSES) });
      if (REFRESH_EVENTS.has(event) && entry.cause && REFRESH_CAUSES.has(entry.cause))
        refreshes.inc({ outcome: entry.cause });
    });
    metrics.gauge('revoked_sessions', 'Revoked sessions in memory', () => revoked.size);
    metrics.gauge(
      'revocation_staleness_seconds',
      'Seconds since the set of revoked sessions was last known to be complete',
      () => feed.staleness() / 1000,
    );
    metrics.totals('purged_total', 'Rows removed by this instance, by kind', ['what'], () =>
      [...purger.removed].map(([what, count]) => [{ what }, count]),
    );
    metrics.gauge('hashing_running', 'Passwords that are hashed now', () => hashing.running);
    metrics.gauge('hashing_waiting', 'Passwords that wait to be hashed', () => hashing.length);
    metrics.total(
      'hashing_refused_total',
      'Passwords refused because the queue was full',
      () => hashing.refused,
    );
  }
}

const LOGIN_CAUSES: ReadonlySet<string> = new Set(['no_such_user', 'wrong_password', 'account_disabled']);
const REFRESH_EVENTS: ReadonlySet<string> = new Set([
  'session_renewed',
  'authn_reauthentication_success',
  'authn_token_reuse',
  'session_revoked',
]);
/** The outcomes and verdicts of `sessions/rotation.ts`. */
const REFRESH_CAUSES: ReadonlySet<string> = new Set([
  'rotated',
  'replayed',
  'concurrent',
  'concurrent_elsewhere',
  'superseded',
  'reuse',
  'rolled_back',
  'revoked',
  'key_reused',
]);

function knownCause({ cause = 'other' }: AuditEvent, known: ReadonlySet<string>): string {
  return known.has(cause) ? cause : 'other';
}
