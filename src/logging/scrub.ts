/** In place of a secret. */
export const REDACTED = '[redacted]';

/** Members and headers whose values are secrets, in whatever object they come; `d` and `k` are those of a private JWK. */
const SECRET_NAME =
  /^(?:.*password|.*_token|.*secret|token|(?:proxy-)?authorization|(?:set-)?cookie|x-(?:csrf|device)-token|d|k)$/i;

/** Characters; longer texts are cut, so that no caller fills the disk with one request. */
const MAX_TEXT_LENGTH = 8_192;
/** Objects within one another; deeper ones say nothing that a log needs. */
const MAX_DEPTH = 6;

/** Texts in which a secret is known by its form or by the name before it, and what is left of them. */
const RULES: [pattern: RegExp, replacement: string][] = [
  // V8 quotes the text that it could not parse, which may be a body.
  [/(?:\.\.\.)?"[^]*"(?:\.\.\.)? is not valid JSON/g, `${REDACTED} is not valid JSON`],
  // Every JOSE header begins so: `{"` in base64url.
  [/eyJ[\w-]{6,}[\w.-]*/g, REDACTED],
  [/\b(Bearer|Basic)\s+(?!\[|error)[^\s,;"']{8,}/gi, `$1 ${REDACTED}`],
  // Nest repeats the URL of a route that it does not know, and its query may hold anything.
  [/(\/[^\s?"']*)\?[^\s"']+/g, `$1?${REDACTED}`],
  // The password in the URL of a database.
  [/(\w:\/\/[^\s:/@]*):[^\s@]+@/g, `$1:${REDACTED}@`],
  [
    /((?:password|_token|secret|authorization|cookie|csrf-token|device-token)\\*["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|\\+"(?:(?!\\+")[^])*(?:\\+")?|'[^']*'?|[^\s,;&}\]]+)/gi,
    `$1${REDACTED}`,
  ],
];

/** A text for the log, without the secrets that can be told by their form. */
export function scrubText(text: string): string {
  const cut = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;
  return RULES.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), cut);
}

/** Anything for the log: members that are named like secrets lose their values, at any depth; errors become plain. */
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

/** Not its other members: drivers keep rows and parameters there. */
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
 * JSON escapes the controls below U+0020 only. Left: DEL and C1, where terminals find escape sequences too, the line
 * ends that only some readers know, and marks that turn the direction of writing.
 */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A line of JSON that means the same, and holds nothing that a terminal or a reader of lines acts on. */
export function escapeLine(json: string): string {
  return json.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
