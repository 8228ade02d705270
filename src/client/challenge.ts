/** What a route requires beyond the token that was sent (RFC 9470). */
export interface Challenge {
  /** Seconds: how old the proof may be. */
  maxAge?: number;
  /** The level that is required: `pwd`, `mfa` or `phr`. */
  acr?: string;
}

/** The challenge of a refusal that a new proof would lift; undefined for every other answer. */
export function challengeOf(response: Response): Challenge | undefined {
  const header = response.headers.get('WWW-Authenticate') ?? '';
  if (response.status !== 401 || parameter(header, 'error') !== 'insufficient_user_authentication')
    return undefined;
  const maxAge = parameter(header, 'max_age');
  const acr = parameter(header, 'acr_values');
  return {
    ...(maxAge === undefined ? {} : { maxAge: Number(maxAge) }),
    ...(acr === undefined ? {} : { acr }),
  };
}

function parameter(header: string, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="([^"]*)"`).exec(header)?.[1];
}
