import { describe, expect, it } from '@jest/globals';
import { applyDecorators } from '@nestjs/common';
import { ApiError } from '../errors/api-error.js';
import { type Principal } from '../request/principal.js';
import { givesRoles, requireRole, Roles, rolesOf } from './roles.decorator.js';

type Decorator = ClassDecorator & MethodDecorator;

function rolesOn(onClass: Decorator | null, onHandler: Decorator | null): readonly string[] {
  class Probe {
    handler(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Probe.prototype, 'handler')!;
  onHandler?.(Probe.prototype, 'handler', descriptor);
  onClass?.(Probe);
  return rolesOf(Probe.prototype, 'handler');
}

const user = (...roles: string[]) => ({ userId: 'user', roles }) as unknown as Principal;

function refusal(needed: string[], who: Principal | undefined): ApiError | undefined {
  try {
    requireRole(needed, who);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

describe('@Roles', () => {
  it('is read from a handler and from a class, and the handler overrides', () => {
    expect(rolesOn(null, null)).toEqual([]);
    expect(rolesOn(Roles('admin'), null)).toEqual(['admin']);
    expect(rolesOn(null, Roles('admin', 'ops'))).toEqual(['admin', 'ops']);
    expect(rolesOn(Roles('admin'), Roles('ops'))).toEqual(['ops']);
  });

  it('needs at least one role', () => {
    expect(() => Roles()).toThrow(new RangeError('@Roles: name at least one role'));
  });

  it.each(['', 'Admin', 'a b', ' admin', 'admin\n', 'ä', 'a'.repeat(65), 'a/b'])('refuses %p', (role) => {
    expect(() => Roles('admin', role)).toThrow(RangeError);
  });

  it.each(['a', '0', 'ops:read', 'a.b_c-d:e', 'a'.repeat(64)])('takes %p', (role) => {
    expect(rolesOn(Roles(role), null)).toEqual([role]);
  });

  it('refuses a second one on the same target, which would undo the first', () => {
    expect(() => rolesOn(applyDecorators(Roles('admin'), Roles('ops')), null)).toThrow(
      'Probe declares its roles twice; name them all in one @Roles',
    );
  });
});

describe('requireRole', () => {
  it('accepts any one of the roles, and every user if none is required', () => {
    expect(refusal(['admin', 'ops'], user('ops'))).toBeUndefined();
    expect(refusal(['admin'], user('guest', 'admin'))).toBeUndefined();
    expect(refusal([], user())).toBeUndefined();
    expect(refusal([], undefined)).toBeUndefined();
  });

  it.each([
    ['an anonymous request', undefined],
    ['a user without roles', user()],
    ['other roles', user('administrator', 'adm', 'ops')],
  ])('refuses %s', (_, who) => {
    const error = refusal(['admin', 'support'], who);
    expect(error?.getResponse()).toMatchObject({ statusCode: 403, errorCode: 'insufficient_role' });
    expect(error?.challenge).toEqual({
      error: 'insufficient_scope',
      error_description: 'The token has none of the roles that this needs',
    });
    expect(error?.reason).toMatch(/^needs admin or support, has /);
  });
});

describe('givesRoles', () => {
  it('says which levels always end with an access token', () => {
    const levels = ['public', 'access', 'optional-access', 'fresh-access', 'refresh', 'access-or-refresh'];
    expect(levels.filter((level) => givesRoles({ level } as Parameters<typeof givesRoles>[0]))).toEqual([
      'access',
      'fresh-access',
    ]);
  });
});
