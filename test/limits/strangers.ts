import { expect, jest } from '@jest/globals';
import { type Response } from 'supertest';
import { Database } from '../../src/database/index.js';
import { PasswordHasher } from '../../src/passwords/password-hasher.js';
import { type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

/** The tests' requests come from here; with it trusted, they say themselves where they come from. */
export const BEHIND_PROXY = { TRUSTED_PROXIES: '127.0.0.1' };

let last = 0;
/** An unused address. */
export function newAddress(): string {
  last++;
  return `198.18.${last >> 8}.${last & 255}`;
}

interface From {
  address?: string;
  device?: string | undefined;
}

/** A login from an address, by default from a new one. */
export async function login(
  api: TestApp,
  username: string,
  password: string,
  { address = newAddress(), device }: From = {},
): Promise<Response> {
  const test = api.request('POST', '/auth/login').set('X-Forwarded-For', address);
  if (device !== undefined) test.set('X-Device-Token', device);
  return test.send({ username, password });
}

/** Wrong passwords, each of which is looked at. */
export async function fail(api: TestApp, username: string, times: number, from?: From): Promise<void> {
  for (let i = 0; i < times; i++)
    expectError(await login(api, username, 'wrong-password', from), 401, 'invalid_credentials');
}

/** A refusal for being too many, with all that says how long. */
export function expectLimited(response: Response, name: string, points: number, seconds: number): void {
  expectError(response, 429, 'rate_limited');
  const retryAfter = Number(response.headers['retry-after']);
  expect(retryAfter).toBeGreaterThan(0);
  expect(retryAfter).toBeLessThanOrEqual(seconds);
  expect(response.headers['ratelimit']).toBe(`"${name}";r=0;t=${retryAfter}`);
  expect(response.headers['ratelimit-policy']).toBe(`"${name}";q=${points};w=${seconds}`);
}

/** How many passwords are hashed while something is done. */
export async function hashesDuring(api: TestApp, work: () => Promise<unknown>): Promise<number> {
  const hasher = api.get(PasswordHasher);
  const spies = [jest.spyOn(hasher, 'verify'), jest.spyOn(hasher, 'hash')];
  try {
    await work();
    return spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

export async function auditOf(api: TestApp, event: 'authn_login_fail_max' | 'authn_login_fail') {
  return api
    .get(Database)
    .selectFrom('audit_events')
    .select(['cause', 'subject_id', 'ip', 'outcome', 'session_id'])
    .where('event', '=', event)
    .orderBy('id')
    .execute();
}
