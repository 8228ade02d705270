/** Replaces a secret. */
export const REDACTED = '[redacted]';

/** Members and headers whose values are secrets, in any object; `d` and `k` are those of a private JWK. */
const SECRET_NAME =
  /^(?:.*password|.*_token|.*secret|token|otp|.*recovery_codes?|challenge|.*otpauth_uri|(?:proxy-)?authorization|(?:set-)?cookie|x-(?:csrf|device)-token|d|k)$/i;

/** Characters. Longer text is cut, so that no caller can fill the disk with one request. */
const MAX_TEXT_LENGTH = 8_192;
/** Depth of nested objects; a log needs no more. */
const MAX_DEPTH = 6;

/** Patterns of secrets that are recognised by their form or by the name before them, with the replacement. */
const RULES: [pattern: RegExp, replacement: string][] = [
  // V8's message quotes the text that it could not parse, which may be a body.
  [/(?:\.\.\.)?"[^]*"(?:\.\.\.)? is not valid JSON/g, `${REDACTED} is not valid JSON`],
  // Every JOSE header begins with `{"`, which is this in base64url.
  [/eyJ[\w-]{6,}[\w.-]*/g, REDACTED],
  [/\b(Bearer|Basic)\s+(?!\[|error)[^\s,;"']{8,}/gi, `$1 ${REDACTED}`],
  // Nest's message repeats the URL of an unknown route, and its query may contain a secret.
  [/(\/[^\s?"']*)\?[^\s"']+/g, `$1?${REDACTED}`],
  // The password in a database URL.
  [/(\w:\/\/[^\s:/@]*):[^\s@]+@/g, `$1:${REDACTED}@`],
  [
    /((?:password|_token|secret|authorization|cookie|csrf-token|device-token)\\*["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|\\+"(?:(?!\\+")[^])*(?:\\+")?|'[^']*'?|[^\s,;&}\]]+)/gi,
    `$1${REDACTED}`,
  ],
];

/** Removes the secrets that are recognisable by their form from a text. */
export function scrubText(text: string): string {
  const cut = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;
  return RULES.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), cut);
}

/** Removes secrets from any value: members with secret names at any depth. Errors become plain objects. */
export function scrub(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH || ArrayBuffer.isView(value)) return '[…]';
  if (value instanceof Error) return scrubError(value, depth);
  if (Array.isArray(value)) return value.map((item) => scrub(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      SECRET_NAME.test(name) ? REDACTED : scrub(member, depth + 1),
    ]),
  );
}

/** Skips other members, because drivers keep rows and parameters in them. */
function scrubError(error: Error & { code?: unknown }, depth: number): object {
  return {
    type: error.name,
    message: scrubText(error.message),
    ...(typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.stack === undefined ? {} : { stack: scrubText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: scrub(error.cause, depth + 1) }),
  };
}

/**
 * The characters that JSON leaves unescaped: DEL and C1, in which terminals also find escape sequences, the line
 * separators of Unicode, and marks that change the writing direction.
 */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Escapes these characters in a line of JSON. Its meaning stays the same. */
export function escapeLine(json: string): string {
  return json.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
