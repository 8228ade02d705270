import { describe, expect, it } from '@jest/globals';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { policyOf } from '../guard/auth-policy.js';
import { FreshAccess, type FreshAccessOptions } from './fresh-access.decorator.js';
import { OnceInterceptor } from './once.interceptor.js';

function declared(options?: FreshAccessOptions) {
  @FreshAccess(options)
  class OnClass {
    handler(): void {}
  }
  class OnHandler {
    @FreshAccess(options)
    handler(): void {}
  }
  return [OnClass, OnHandler].map((controller) => {
    return {
      policy: policyOf(controller.prototype, 'handler'),
      interceptors: (Reflect.getMetadata(INTERCEPTORS_METADATA, controller) as unknown[] | undefined) ?? [],
    };
  });
}

describe('@FreshAccess', () => {
  it.each<[string, FreshAccessOptions | undefined, object]>([
    ['nothing', undefined, { once: false }],
    ['no options', {}, { once: false }],
    ['a maxAge', { maxAge: '5m' }, { once: false, maxAge: 300_000 }],
    ['the shortest maxAge', { maxAge: '1s' }, { once: false, maxAge: 1000 }],
    ['a maxAge in parts', { maxAge: '1h 30m' }, { once: false, maxAge: 5_400_000 }],
    ['once', { once: true }, { once: true }],
    ['once and a maxAge', { once: true, maxAge: '1d' }, { once: true, maxAge: 86_400_000 }],
    ['not once', { once: false }, { once: false }],
  ])('declares %s on a class and on a handler', (_, options, expected) => {
    const policy = { level: 'fresh-access', ...expected };
    expect(declared(options).map((found) => found.policy)).toEqual([policy, policy]);
  });

  it('uses tokens up with once, and only with once', () => {
    expect(declared({ once: true }).map(({ interceptors }) => interceptors)).toEqual([
      [OnceInterceptor],
      [OnceInterceptor],
    ]);
    expect(declared().map(({ interceptors }) => interceptors)).toEqual([[], []]);
  });

  it.each(['', '5', '5 m', '5 minutes', '-5m', '1.5h', '5M', 'soon', '99999w'])(
    'refuses the maxAge "%s" when the class is loaded',
    (maxAge) => {
      expect(() => declared({ maxAge })).toThrow(RangeError);
      expect(() => declared({ maxAge })).toThrow(`"${maxAge}" is`);
    },
  );

  it.each(['0s', '0m', '0h 0m 0s'])('refuses the maxAge "%s", which nothing could satisfy', (maxAge) => {
    expect(() => declared({ maxAge })).toThrow(new RangeError('@FreshAccess: maxAge must be longer than 0s'));
  });
});
