import { describe, expect, it } from '@jest/globals';
import { escapeLine, REDACTED, scrub, scrubText } from './scrub.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl-_';

function parseMessage(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('was JSON');
}

describe('scrubText', () => {
  it.each([
    ['a token', `token ${TOKEN} refused`],
    ['the start of one', `token ${TOKEN.slice(0, 15)}hunter2… refused`],
    ['a header', 'Authorization: Bearer hunter2hunter2'],
    ['a scheme', 'got Bearer hunter2hunter2, wanted none'],
    ['a cookie', 'cookie: hunter2'],
    ['a member', 'cannot read {"password":"hunter2 and \\" more hunter2"}'],
    ['a member in a text in JSON', 'cannot read "{\\"newPassword\\":\\"hunter2\\"}"'],
    ['a member of a form', 'a=1&refresh_token=hunter2&b=2'],
    ['a query', 'Cannot GET /nope/a?x=hunter2'],
    ['the URL of a database', 'postgres://app:hunter2@db:5432/x is away'],
    ['what V8 could not parse', parseMessage('hunter2')],
    ['what V8 could not parse, with lines', parseMessage('{"a":\nhunter2\n}')],
    ['what V8 could not parse, long', parseMessage(`{"a":"${'x'.repeat(99)}","c":hunter2 ${'x'.repeat(99)}`)],
  ])('removes %s', (_, text) => {
    const clean = scrubText(text);
    expect(clean).toContain(REDACTED);
    expect(clean).not.toMatch(/hunter2|eyJ/);
  });

  it.each([
    'username must be 3 to 32 letters; password must be longer than or equal to 8 characters',
    '401 token_expired GET /profile [request-1]: expired at 2026-11-24T18:00:00Z',
    'Bearer error="invalid_token"',
    'listening on http://127.0.0.1:3000, API documentation at http://127.0.0.1:3000/docs',
    'the database does not answer: connect ECONNREFUSED 127.0.0.1:5432',
  ])('keeps text without a secret: %s', (text) => {
    expect(scrubText(text)).toBe(text);
  });

  it('cuts what is very long', () => {
    expect(scrubText('x'.repeat(1_000_000)).length).toBeLessThan(10_000);
  });

  it('is fast for a text that is made to be slow', () => {
    // CPU time, because other work on the machine delays the wall clock.
    const began = process.cpuUsage();
    for (const part of ['"', 'eyJ', '/?', 'password":"\\', 'a://', "cookie='", 'Bearer ']) {
      scrubText(part.repeat(8_192 / part.length));
    }
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(5_000);
  });
});

describe('scrub', () => {
  it('removes the values of members named like secrets, at any depth', () => {
    const headers = { Authorization: 'x1', COOKIE: 'x2', 'Set-Cookie': ['x3'], 'x-csrf-token': 'x4' };
    const body = {
      password: 'x5',
      currentPassword: 'x6',
      access_token: 'x7',
      list: [{ refresh_token: 'x8' }],
    };
    const jwk = { kty: 'EC', d: 'x9' };
    const clean = JSON.stringify(
      scrub({ headers: { ...headers, 'X-Device-Token': 'x10' }, body, jwk, kept: 'y' }),
    );
    expect(clean).not.toMatch(/x\d/);
    expect(clean).toContain('"kept":"y"');
    expect(clean).toContain('"kty":"EC"');
  });

  it('converts errors and their causes to plain objects, without members that a driver adds', () => {
    const cause = Object.assign(new Error(`cause ${TOKEN}`), { code: '23505', parameters: ['x1'] });
    const clean = scrub(new Error(`outer ${TOKEN}`, { cause }));
    expect(clean).toMatchObject({ type: 'Error', message: `outer ${REDACTED}`, cause: { code: '23505' } });
    expect(JSON.stringify(clean)).not.toMatch(/eyJ|x1/);
  });

  it('cleans strings at any place, and keeps other values', () => {
    const given = { list: [`a ${TOKEN}`, { text: 'Bearer hunter2hunter2' }], n: 1, no: null, is: true };
    expect(scrub(given)).toEqual({
      list: [`a ${REDACTED}`, { text: `Bearer ${REDACTED}` }],
      n: 1,
      no: null,
      is: true,
    });
    expect(scrub(undefined)).toBeUndefined();
  });

  it('goes six levels deep, through lists and causes too', () => {
    const levels = (wrap: (inner: unknown) => unknown, count: number) => {
      let value: unknown = 'core';
      for (let i = 0; i < count; i++) value = wrap(value);
      return JSON.stringify(scrub(value));
    };
    const wraps = [
      (inner: unknown) => ({ inner }),
      (inner: unknown) => [inner],
      (inner: unknown) => new Error('outer', { cause: inner }),
    ];
    for (const wrap of wraps) {
      expect(levels(wrap, 6)).toContain('core');
      expect(levels(wrap, 7)).not.toContain('core');
      expect(levels(wrap, 7)).toContain('[…]');
    }
  });

  it('keeps the stack of an error, cleaned, and its code if it is a text; no member that is absent', () => {
    const error = Object.assign(new Error(TOKEN), { code: 7 });
    expect(scrub(error)).toEqual({
      type: 'Error',
      message: REDACTED,
      stack: expect.stringMatching(/^Error: \[redacted\]\n +at /),
    });
    delete error.stack;
    expect(scrub(error)).toEqual({ type: 'Error', message: REDACTED });
  });

  it('handles circular values and bytes', () => {
    const circle: Record<string, unknown> = { bytes: Buffer.from('hunter2') };
    circle['self'] = circle;
    expect(JSON.stringify(scrub(circle))).not.toContain('hunter2');
  });
});

describe('escapeLine', () => {
  it('escapes what a terminal or a reader of lines acts on, and keeps the meaning', () => {
    const value = { text: 'a\u2028b\u2029c\u0085d\u009b31me\u007ff\u202eg\u2066h\ufeffi\nj\u001b[2J' };
    const line = escapeLine(JSON.stringify(value));
    expect(line).toMatch(/^[\u0020-\u007e]*$/);
    expect(JSON.parse(line)).toEqual(value);
  });
});
