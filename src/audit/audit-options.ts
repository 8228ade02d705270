/** Options of the audit module; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class AuditOptions {
  /** How long an audit event is kept. */
  abstract readonly retention: number;
}
