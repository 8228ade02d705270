import { randomBytes } from 'node:crypto';
import { type Readable } from 'node:stream';
import { OperatorError } from './operator.js';

/** 120 bits, in 20 characters that no terminal breaks. */
export function randomPassword(): string {
  return randomBytes(15).toString('base64url');
}

/**
 * Reads the first line, without its end but otherwise unchanged: spaces belong to the password.
 * @throws OperatorError if there is no line, or it is not UTF-8: decoded leniently, several passwords would become one
 */
export async function readPassword(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (chunk.includes('\n')) break;
  }
  const [line = ''] = decode(Buffer.concat(chunks)).split('\n');
  const password = line.replace(/\r$/, '');
  if (password === '')
    throw new OperatorError('--password-stdin: there is no password on the standard input');
  return password;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new OperatorError('--password-stdin: the standard input is not UTF-8');
  }
}
