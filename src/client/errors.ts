/** An error answer of the API. `errorCode` is stable; `message` is for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly errorCode: string,
    /** The whole body: `errors` of `validation_failed`, `challenge` and `factors` of `second_factor_required`. */
    readonly body: Readonly<Record<string, unknown>>,
    /** Seconds to wait before the next try; of 429 and 503. */
    readonly retryAfter: number | undefined,
  ) {
    super(typeof body['message'] === 'string' ? body['message'] : `status ${status}`);
  }
}

/** There is no session: nothing was sent. Show the login. */
export class SignedOutError extends Error {
  override readonly name = 'SignedOutError';

  constructor() {
    super('no user is logged in; call login first');
  }
}

/** Reads the error of a failed response, whose body can still be read afterwards. */
export async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response
    .clone()
    .json()
    .catch(() => null)) as Record<string, unknown> | null;
  const code = body?.['errorCode'];
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return new ApiError(
    response.status,
    typeof code === 'string' ? code : '',
    body ?? {},
    Number.isNaN(seconds) ? undefined : seconds,
  );
}
