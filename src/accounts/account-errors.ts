import { ApiError } from '../auth/index.js';

declare module '../auth/index.js' {
  interface ErrorCodes {
    link_invalid: 400;
    email_taken: 409;
  }
}

/** One answer for every cause. */
export function linkInvalid(reason: string): ApiError {
  const message = 'The link or code is wrong, has expired or was used before; ask for a new one';
  return new ApiError(400, 'link_invalid', message, { reason });
}

export function emailTaken(): ApiError {
  return new ApiError(409, 'email_taken', 'Another account has this e-mail address');
}
