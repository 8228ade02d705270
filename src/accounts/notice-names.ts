/** The notices to the owner of an account. */
export const NOTICES = [
  'new_device',
  'factor_added',
  'factor_removed',
  'recovery_code_used',
  'password_changed',
  'password_reset',
  'email_changed',
  'token_reused',
] as const;
export type Notice = (typeof NOTICES)[number];
