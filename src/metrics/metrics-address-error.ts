/** The address cannot be listened on. */
export class MetricsAddressError extends Error {
  override readonly name = 'MetricsAddressError';

  constructor(
    readonly setting: 'host' | 'port',
    cause: Error,
  ) {
    super(cause.message, { cause });
  }
}
