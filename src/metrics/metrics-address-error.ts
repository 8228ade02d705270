/** The server cannot listen on the address. */
export class MetricsAddressError extends Error {
  override readonly name = 'MetricsAddressError';

  constructor(
    readonly setting: 'host' | 'port',
    cause: Error,
  ) {
    super(cause.message, { cause });
  }
}
