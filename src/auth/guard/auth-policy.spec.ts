import { Get } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Access, OptionalAccess } from '../access/access.decorator.js';
import { FreshAccess } from '../fresh-access/fresh-access.decorator.js';
import { AccessOrRefresh, LogsOut, Refresh, RotatesRefresh } from '../refresh/refresh.decorator.js';
import { type AuthPolicy, DEFAULT_POLICY } from '../request/auth-policy.js';
import { declarePolicy, policyOf } from './auth-policy.js';
import { Public } from './public.decorator.js';

type Decorator = ClassDecorator & MethodDecorator;
type Controller = new () => { handler(): void };

/** A controller with one handler, each declared as given. */
function controller(onClass: Decorator | null, onHandler: Decorator | null): Controller {
  class Probe {
    handler(): void {}
  }
  decorateHandler(Probe, onHandler);
  onClass?.(Probe);
  return Probe;
}

function decorateHandler(target: Controller, decorator: Decorator | null): void {
  const { prototype } = target as { prototype: object };
  decorator?.(prototype, 'handler', Object.getOwnPropertyDescriptor(prototype, 'handler')!);
}

const policy = (target: Controller): AuthPolicy => policyOf(target.prototype as object, 'handler');

const DECORATORS: [string, () => Decorator, AuthPolicy][] = [
  ['@Public()', Public, { level: 'public' }],
  ['@Access()', Access, { level: 'access' }],
  ['@OptionalAccess()', OptionalAccess, { level: 'optional-access' }],
  ['@FreshAccess()', FreshAccess, { level: 'fresh-access', once: false }],
  ['@Refresh()', Refresh, { level: 'refresh', rotates: false }],
  ['@RotatesRefresh()', RotatesRefresh, { level: 'refresh', rotates: true }],
  ['@AccessOrRefresh()', AccessOrRefresh, { level: 'access-or-refresh', allowRevoked: false }],
  ['@EndsSession()', LogsOut, { level: 'access-or-refresh', allowRevoked: true }],
];

describe('policyOf', () => {
  it('demands an access token where nothing is declared', () => {
    expect(policy(controller(null, null))).toEqual({ level: 'access' });
    expect(DEFAULT_POLICY).toEqual({ level: 'access' });
  });

  it.each(DECORATORS)('reads %s from a handler and from a class', (_, decorator, expected) => {
    expect(policy(controller(null, decorator()))).toEqual(expected);
    expect(policy(controller(decorator(), null))).toEqual(expected);
  });

  it.each(DECORATORS)(
    'lets %s of a handler override whatever its class declares',
    (_, decorator, expected) => {
      const found = DECORATORS.map(([, onClass]) => policy(controller(onClass(), decorator())));
      expect(found).toEqual(DECORATORS.map(() => expected));
    },
  );

  it('lets a subclass inherit what its base declares, and override it', () => {
    const Base = controller(Public(), null);
    decorateHandler(Base, Get() as Decorator);
    class Heir extends Base {}
    class Strict extends Base {}
    FreshAccess()(Strict);
    expect([Base, Heir, Strict].map((each) => policy(each).level)).toEqual([
      'public',
      'public',
      'fresh-access',
    ]);
  });

  it('does not affect another controller', () => {
    controller(Public(), Public());
    expect(policy(controller(null, null))).toEqual(DEFAULT_POLICY);
  });
});

describe('declarePolicy', () => {
  it.each(DECORATORS)(
    'refuses a second declaration after %s, on a handler and on a class',
    (_, decorator) => {
      for (const [, second] of DECORATORS) {
        const onHandler = controller(null, decorator());
        expect(() => decorateHandler(onHandler, second())).toThrow(
          new Error('Probe.handler declares its protection twice; keep one of the decorators'),
        );
        const onClass = controller(decorator(), null);
        expect(() => second()(onClass)).toThrow(
          new Error('Probe declares its protection twice; keep one of the decorators'),
        );
      }
    },
  );

  it('names a handler whose name is a symbol', () => {
    const key = Symbol('handler');
    class Probe {
      [key](): void {}
    }
    const decorate = () =>
      declarePolicy({ level: 'public' })(
        Probe.prototype,
        key,
        Object.getOwnPropertyDescriptor(Probe.prototype, key)!,
      );
    decorate();
    expect(decorate).toThrow('Probe.Symbol(handler) declares its protection twice');
  });
});
