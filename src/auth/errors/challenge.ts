import { type RequiredProof, TOKEN_MESSAGES, type TokenErrorCode } from '../../tokens/token.errors.js';

/** The `WWW-Authenticate` parameters after the scheme, in order. */
export type ChallengeParameters = Record<string, string | number>;

/**
 * RFC 9110 §11.6.1: every value is a quoted-string. Characters that it cannot hold are dropped, `"` and `\` are escaped,
 * so that no value can end the header or add a parameter.
 */
export function bearerChallenge(parameters: ChallengeParameters = {}, scheme = 'Bearer'): string {
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}=${quote(String(value))}`);
  return [scheme, quoted.join(', ')].filter(Boolean).join(' ');
}

function quote(value: string): string {
  return `"${value.replace(/[^\t\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`;
}

export function tokenChallenge(code: TokenErrorCode, required?: RequiredProof, scheme?: string): string {
  return bearerChallenge(tokenChallengeParameters(code, required), scheme);
}

/** RFC 6750 §3.1: no error parameter if no token was sent. RFC 9470 §3: what the step-up must satisfy. */
export function tokenChallengeParameters(
  code: TokenErrorCode,
  { acr, maxAge }: RequiredProof = {},
): ChallengeParameters {
  if (code === 'token_missing') return {};
  const description = { error_description: TOKEN_MESSAGES[code] };
  if (code !== 'fresh_token_required') return { error: 'invalid_token', ...description };
  return {
    error: 'insufficient_user_authentication',
    ...description,
    ...(acr === undefined ? {} : { acr_values: acr }),
    ...(maxAge === undefined ? {} : { max_age: Math.floor(maxAge / 1000) }),
  };
}
