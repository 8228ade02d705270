import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { parseCommand } from './arguments.js';
import { OperatorError } from './operator.js';
import { randomPassword, readPassword } from './passwords.js';
import { formatAccounts } from './table.js';

const parse = (line: string) => parseCommand(line.split(' ').filter(Boolean));

describe('parseCommand', () => {
  it('reads each command with its operands and options', () => {
    expect(parse('create laika --role admin --role ops')).toMatchObject({
      command: 'create',
      name: 'laika',
      roles: ['admin', 'ops'],
      passwordFromStdin: false,
    });
    expect(parse('--password-stdin create laika')).toMatchObject({ roles: [], passwordFromStdin: true });
    expect(parse('grant laika admin')).toMatchObject({ command: 'grant', name: 'laika', role: 'admin' });
    expect(parse('revoke laika admin')).toMatchObject({ command: 'revoke', role: 'admin' });
    expect(parse('disable laika')).toMatchObject({ command: 'disable', name: 'laika' });
    expect(parse('reset-password laika --password-stdin')).toMatchObject({ passwordFromStdin: true });
    expect(parse('list')).toMatchObject({ command: 'list' });
    expect(parse('create --help')).toEqual({ command: 'help' });
    expect(parse('-h')).toEqual({ command: 'help' });
  });

  it.each([
    ['', 'No command was given'],
    ['destroy laika', 'There is no command destroy'],
    ['constructor', 'There is no command constructor'],
    ['create', 'Expected: create NAME'],
    ['create laika space-corgi', 'Expected: create NAME'],
    ['grant laika', 'Expected: grant NAME ROLE'],
    ['list laika', 'Expected: list'],
    ['disable laika --role admin', 'disable takes no --role'],
    ['grant laika admin --password-stdin', 'grant takes no --password-stdin'],
    ['create laika --password space-corgi', "Unknown option '--password'"],
    ['create laika --role', "'--role <value>' argument missing"],
  ])('refuses "%s"', (line, message) => {
    expect(() => parse(line)).toThrow(OperatorError);
    expect(() => parse(line)).toThrow(message);
  });
});

describe('readPassword', () => {
  const read = async (...chunks: (string | Buffer)[]) =>
    readPassword(Readable.from(chunks.map((chunk) => Buffer.from(chunk))));

  it.each([
    ['a line', ['space-corgi\n'], 'space-corgi'],
    ['no end of line', ['space-corgi'], 'space-corgi'],
    ['a Windows line', ['space-corgi\r\n'], 'space-corgi'],
    ['several lines', ['space-corgi\nsecond\n'], 'space-corgi'],
    ['pieces', ['space', '-corgi', '\nx'], 'space-corgi'],
    ['spaces around', ['  space corgi  \n'], '  space corgi  '],
    ['a letter cut in two', [Buffer.from([0xc3]), Buffer.from([0xa9, 0x0a])], 'é'],
  ])('takes the first line of %s', async (_, chunks, password) => {
    expect(await read(...chunks)).toBe(password);
  });

  it.each([
    ['nothing', []],
    ['an empty line', ['\nspace-corgi\n']],
    ['bytes that are not UTF-8', [Buffer.from([0xe9, 0x0a])]],
  ])('refuses %s', async (_, chunks) => {
    await expect(read(...chunks)).rejects.toThrow(OperatorError);
  });
});

describe('randomPassword', () => {
  it('gives 120 bits, never the same', () => {
    const made = Array.from({ length: 100 }, randomPassword);
    expect(new Set(made).size).toBe(100);
    for (const password of made) expect(password).toMatch(/^[\w-]{20}$/);
  });
});

describe('formatAccounts', () => {
  it('aligns the columns', () => {
    const account = { id: '1', username: 'laika', roles: [], disabledAt: null, createdAt: 0 };
    expect(
      formatAccounts([
        account,
        { ...account, username: 'cosmo-the-first', roles: ['a', 'b'], disabledAt: 1 },
      ]),
    ).toBe(
      [
        'ID  USERNAME         ROLES  DISABLED                  CREATED',
        '1   laika            -      -                         1970-01-01T00:00:00.000Z',
        '1   cosmo-the-first  a,b    1970-01-01T00:00:00.001Z  1970-01-01T00:00:00.000Z',
        '',
      ].join('\n'),
    );
  });
});
