import secureJson from 'secure-json-parse';
import { validationFailed } from './auth/index.js';

/** Objects and arrays within one another; validation walks them by recursion, which a body must not exhaust. */
const DEEPEST = 32;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A JSON body, or undefined for an empty one: many clients send the header with every POST.
 * @throws ApiError `validation_failed` for what is not UTF-8, not JSON, nested too deeply, or meant for a prototype
 */
export function parseBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw refused('is not UTF-8');
  }
  if (depthOf(text) > DEEPEST) throw refused(`is nested more than ${DEEPEST} levels deep`);
  let body: unknown;
  try {
    body = secureJson.parse(text, null, { protoAction: 'error', constructorAction: 'error' });
  } catch {
    throw refused('is not valid JSON');
  }
  // RFC 8259 §4: parsers disagree on which of them counts, so whoever looks at the body before us may see another.
  const twin = repeatedMember(text);
  if (twin !== undefined) throw refused(`has the member ${twin} twice`);
  return body;
}

function refused(message: string): Error {
  return validationFailed([{ field: 'body', messages: [message] }]);
}

/** The name of a member that one object has twice; of JSON that is well-formed. */
function repeatedMember(text: string): string | undefined {
  const objects: Set<unknown>[] = [];
  for (const [token, name] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    else if (name !== undefined) {
      const decoded: unknown = JSON.parse(name);
      const known = objects.at(-1);
      if (known?.has(decoded)) return name;
      known?.add(decoded);
    }
  }
  return undefined;
}

/** Counted before anything recurses. Brackets within strings do not count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}
