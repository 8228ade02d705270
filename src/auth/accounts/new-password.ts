import { type PasswordPolicy } from '../../passwords/password-policy.js';
import { validationFailed } from '../errors/api-error.js';

/** Checks a new password. @throws ApiError `validation_failed` with the reason */
export async function requireAcceptable(
  policy: PasswordPolicy,
  field: string,
  password: string,
  username: string,
): Promise<void> {
  const objection = await policy.rejectionReason(password, username);
  if (objection !== undefined) throw validationFailed([{ field, messages: [`${field} ${objection}`] }]);
}
