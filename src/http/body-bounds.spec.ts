import { describe, expect, it } from '@jest/globals';
import { boundsOf } from './body-bounds.js';

describe('the bounds of a body', () => {
  it.each(['/auth/login', '/api/auth/login', '/api/v1/auth/login', '/auth/factors/otp/:id/confirm'])(
    'are the small ones at %s',
    (route) => expect(boundsOf(route)).toEqual({ bytes: 8_192, members: 64, levels: 8 }),
  );

  it.each([undefined, '/transfers', '/authors/auth', '/a/b/c/d/auth/e'])(
    'are the default ones at %s',
    (route) => expect(boundsOf(route).bytes).toBe(65_536),
  );
});
