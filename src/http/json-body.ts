import { type BodyBounds, boundsOf } from './body-bounds.js';
import { malformed } from './refusal.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** An object or a list that the scan has entered and not left. */
interface Level {
  isObject: boolean;
  /** Whether the next string is the name of a member. */
  beforeName: boolean;
  members: number;
  /** The name of the current member. */
  name: string | undefined;
  /** Created with the second member. */
  names: Set<string> | undefined;
}

/**
 * Parses a JSON body. Returns undefined for an empty one, because many clients send the media type with every POST.
 * @throws HttpException `validation_failed` if it is not UTF-8 or JSON, is out of bounds, repeats a member, or names a
 *   prototype
 */
export function parseBody(bytes: Buffer, bounds: BodyBounds = boundsOf(undefined)): unknown {
  if (bytes.length === 0) return undefined;
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw malformed('body', 'is not UTF-8');
  }
  const problem = findProblem(text, bounds);
  if (problem !== undefined) throw malformed('body', problem);
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('body', 'is not valid JSON');
  }
}

/**
 * Scans the text once, before it is parsed, so that a hostile body costs no more than reading it. Text that is not JSON
 * may pass: the parser refuses it afterwards.
 */
function findProblem(text: string, { levels, members }: BodyBounds): string | undefined {
  const open: Level[] = [];
  let level: Level | undefined;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const end = endOfString(text, i + 1);
      if (level?.beforeName === true) {
        const problem = addName(level, text.slice(i, end + 1), open.at(-2));
        if (problem !== undefined) return problem;
      }
      i = end;
    } else if (code === COMMA) {
      if (!level) continue;
      if (++level.members > members) return `has more than ${members} members on one level`;
      level.beforeName = level.isObject;
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      if (open.length === levels) return `is nested more than ${levels} levels deep`;
      const isObject = code === OPEN_OBJECT;
      level = { isObject, beforeName: isObject, members: 1, name: undefined, names: undefined };
      open.push(level);
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      open.pop();
      level = open.at(-1);
    }
  }
  return undefined;
}

/** The index of the closing quote, or of the end of the text. */
function endOfString(text: string, start: number): number {
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i++;
  }
  return text.length;
}

function addName(level: Level, quoted: string, parent: Level | undefined): string | undefined {
  level.beforeName = false;
  const name = decoded(quoted);
  // In a handler that copies the body member by member, this member would set the prototype of the copy.
  if (name === '__proto__' || (name === 'prototype' && parent?.name === 'constructor'))
    return `has the member ${quoted}, which is not allowed`;
  // RFC 8259 §4: parsers disagree on which of the two counts, so a proxy in front may have checked the other one.
  if (level.name === name || level.names?.has(name) === true) return `has the member ${quoted} twice`;
  if (level.name !== undefined) level.names ??= new Set([level.name]);
  level.names?.add(name);
  level.name = name;
  return undefined;
}

function decoded(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    // Not an escape of JSON: the parser will refuse the body.
    return quoted;
  }
}
