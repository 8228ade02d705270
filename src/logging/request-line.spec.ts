import { describe, expect, it } from '@jest/globals';
import { type RequestEnd } from '../http/request-end.js';
import { requestLine } from './request-line.js';

const END: RequestEnd = {
  method: 'GET',
  route: '/admin/users/:id',
  path: '/admin/users/7',
  status: 200,
  duration: 1.234,
  requestId: 'request-1',
  errorCode: undefined,
  aborted: false,
};

const lineOf = (end: Partial<RequestEnd>) =>
  JSON.parse(requestLine({ ...END, ...end }, 'info')) as Record<string, unknown>;

describe('the line of a request', () => {
  it('has the route as declared, and no path', () => {
    expect(lineOf({})).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      requestId: 'request-1',
      context: 'Http',
      method: 'GET',
      route: '/admin/users/:id',
      status: 200,
      duration: 1.2,
      msg: 'GET /admin/users/:id 200',
    });
  });

  it('says how it was refused, and that the client left', () => {
    expect(lineOf({ errorCode: 'token_expired', aborted: true })).toMatchObject({
      errorCode: 'token_expired',
      aborted: true,
    });
  });

  it('has the path of an unknown route, without a token in it', () => {
    const path = '/nope/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln';
    expect(lineOf({ route: undefined, path })).toMatchObject({
      path: '/nope/[redacted]',
      msg: 'GET /nope/[redacted] 200',
    });
  });

  it.each(['\n{"level":"fatal"}', '\r', '\u2028', '\u0085', '\u009b2J', '\u001b[2J'])(
    'stays one printable line with %j in the path',
    (text) => {
      const line = requestLine({ ...END, route: undefined, path: `/x${text}` }, 'info');
      expect(line).toMatch(/^[\u0020-\u007e]*\n$/);
      expect(JSON.parse(line)).toMatchObject({ path: `/x${text}` });
    },
  );
});
