import { open } from 'node:fs/promises';
import { type Readable } from 'node:stream';
import { type ImportLine } from '../administration/index.js';
import { OperatorError } from './operator.js';

/** Bytes. A file that is not made of lines must not fill the memory. */
const MAX_LINE_LENGTH = 65_536;
const LINE_FEED = 10;

/** Opens a file, or the standard input for `-`. @throws OperatorError if it cannot be read */
export async function openInput(path: string, stdin: Readable): Promise<Readable> {
  if (path === '-') return stdin;
  try {
    const file = await open(path);
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new OperatorError(`${path} is a folder`);
    }
    return file.createReadStream();
  } catch (error) {
    throw error instanceof OperatorError
      ? error
      : new OperatorError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/** Splits a stream into its lines, without blank ones. */
export async function* readLines(input: Readable): AsyncGenerator<ImportLine> {
  let number = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const add = (bytes: Buffer) => {
    length += bytes.length;
    // The bytes of a line that is too long are counted, but not stored.
    if (length <= MAX_LINE_LENGTH) parts.push(bytes);
  };
  const take = () => {
    const line = length > MAX_LINE_LENGTH ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    return decode(++number, line);
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      add(chunk.subarray(from, at));
      from = at + 1;
      yield* take();
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield* take();
}

function decode(number: number, bytes: Buffer | undefined): ImportLine[] {
  if (!bytes) return [{ number, problem: `is longer than ${MAX_LINE_LENGTH} bytes` }];
  try {
    // Without a byte order mark, which some programs write at the beginning of a file.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.trim() === '' ? [] : [{ number, text }];
  } catch {
    return [{ number, problem: 'is not UTF-8' }];
  }
}
