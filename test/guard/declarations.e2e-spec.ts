import {
  type CallHandler,
  Controller,
  Get,
  type NestInterceptor,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Observable } from 'rxjs';
import {
  Access,
  AccessOrRefresh,
  FreshAccess,
  OptionalAccess,
  Public,
  Refresh,
  Roles,
} from '../../src/auth/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

type Decorator = ClassDecorator & MethodDecorator;
type Method = (...args: unknown[]) => unknown;

/** As tracing packages do it: the method is another function from here on. */
function Wrapped(copiesMetadata: boolean): MethodDecorator {
  return (_target, _member, descriptor) => {
    const original = descriptor.value as Method;
    const wrapper = function (this: unknown, ...args: unknown[]): unknown {
      return original.apply(this, args);
    };
    if (copiesMetadata) {
      for (const key of Reflect.getMetadataKeys(original) as string[])
        Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
    }
    descriptor.value = wrapper as never;
  };
}

/** The status that each kind of token gets. */
interface Outcome {
  none: number;
  fresh: number;
  stale: number;
  refresh: number;
}

const DECORATORS: Record<string, [decorators: () => Decorator[], outcome: Outcome]> = {
  nothing: [() => [], { none: 401, fresh: 200, stale: 200, refresh: 401 }],
  Public: [() => [Public()], { none: 200, fresh: 200, stale: 200, refresh: 200 }],
  Access: [() => [Access()], { none: 401, fresh: 200, stale: 200, refresh: 401 }],
  OptionalAccess: [() => [OptionalAccess()], { none: 200, fresh: 200, stale: 200, refresh: 401 }],
  FreshAccess: [() => [FreshAccess()], { none: 401, fresh: 200, stale: 401, refresh: 401 }],
  FreshAccessOnce: [() => [FreshAccess({ once: true })], { none: 401, fresh: 200, stale: 401, refresh: 401 }],
  Refresh: [() => [Refresh()], { none: 401, fresh: 401, stale: 401, refresh: 200 }],
  AccessOrRefresh: [() => [AccessOrRefresh()], { none: 401, fresh: 200, stale: 200, refresh: 200 }],
  Roles: [() => [Roles('admin')], { none: 401, fresh: 403, stale: 403, refresh: 401 }],
};

function decorate(target: Type, member: string, decorators: MethodDecorator[]): void {
  const prototype = target.prototype as object;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, member);
  if (!descriptor) throw new Error(`no ${member}`);
  Object.defineProperty(
    prototype,
    member,
    Reflect.decorate(decorators, prototype, member, descriptor) ?? descriptor,
  );
}

/** A controller with one route, written in one of the ways in which a declaration could be lost. */
const SHAPES: Record<string, (path: string, declared: () => Decorator[]) => Type> = {
  plain: (path, declared) => {
    class Plain {
      show(): object {
        return {};
      }
    }
    decorate(Plain, 'show', [Get(), ...declared()]);
    Controller(path)(Plain);
    return Plain;
  },
  'wrapped above': (path, declared) => {
    class Above {
      show(): object {
        return {};
      }
    }
    decorate(Above, 'show', [Get(), Wrapped(false), ...declared()]);
    Controller(path)(Above);
    return Above;
  },
  'wrapped above, metadata copied': (path, declared) => {
    class Copied {
      show(): object {
        return {};
      }
    }
    decorate(Copied, 'show', [Wrapped(true), Get(), ...declared()]);
    Controller(path)(Copied);
    return Copied;
  },
  'wrapped below': (path, declared) => {
    class Below {
      show(): object {
        return {};
      }
    }
    decorate(Below, 'show', [Get(), ...declared(), Wrapped(false)]);
    Controller(path)(Below);
    return Below;
  },
  'declared on the class, wrapped': (path, declared) => {
    class OnClass {
      show(): object {
        return {};
      }
    }
    decorate(OnClass, 'show', [Get(), Wrapped(false)]);
    Reflect.decorate([Controller(path), ...declared()] as ClassDecorator[], OnClass);
    return OnClass;
  },
  'declared on a class that is then replaced': (path, declared) => {
    class Replaced {
      show(): object {
        return {};
      }
    }
    decorate(Replaced, 'show', [Get()]);
    const Subclass = ((base: Type): Type => class Traced extends base {}) as unknown as ClassDecorator;
    return Reflect.decorate(
      [Controller(path), Subclass, ...declared()] as ClassDecorator[],
      Replaced,
    ) as Type;
  },
  inherited: (path, declared) => {
    class Base {
      show(): object {
        return {};
      }
    }
    decorate(Base, 'show', [Get(), ...declared()]);
    class Inherited extends Base {}
    Controller(path)(Inherited);
    return Inherited;
  },
  'inherited from a declared class': (path, declared) => {
    class Base {
      show(): object {
        return {};
      }
    }
    decorate(Base, 'show', [Get()]);
    Reflect.decorate(declared(), Base);
    class Inherited extends Base {}
    Controller(path)(Inherited);
    return Inherited;
  },
  'overridden and mapped again': (path, declared) => {
    class Base {
      show(): object {
        return {};
      }
    }
    decorate(Base, 'show', [Get('base'), ...declared()]);
    class Overriding extends Base {
      override show(): object {
        return {};
      }
    }
    decorate(Overriding, 'show', [Get()]);
    Controller(path)(Overriding);
    return Overriding;
  },
  'bound in the constructor': (path, declared) => {
    class Bound {
      constructor() {
        this.show = this.show.bind(this);
      }
      show(): object {
        return {};
      }
    }
    decorate(Bound, 'show', [Get(), ...declared()]);
    Controller(path)(Bound);
    return Bound;
  },
};

const pathOf = (shape: string, decorator: string) => `${shape}-${decorator}`.replace(/\W+/g, '-');

describe('every decorator, however its handler is written', () => {
  let api: TestApp;
  beforeAll(async () => {
    const controllers = Object.entries(SHAPES).flatMap(([shape, make]) =>
      Object.entries(DECORATORS).map(([name, [declared]]) => make(pathOf(shape, name), declared)),
    );
    api = await createTestApp({ controllers });
  });
  afterAll(() => api.close());

  describe.each(Object.keys(SHAPES))('%s', (shape) => {
    it.each(Object.entries(DECORATORS))('%s', async (name, [, expected]) => {
      const path = `/${pathOf(shape, name)}`;
      const login = await api.login();
      const first = login.access;
      const status = async (token?: string) => (await api.request('GET', path, token)).status;
      const seen: Outcome = { none: await status(), fresh: await status(first), stale: 0, refresh: 0 };
      if (name === 'FreshAccessOnce') {
        const again = await api.request('GET', path, first);
        expect([again.status, again.body.errorCode]).toEqual([401, 'fresh_token_required']);
      }
      await login.rotate();
      seen.stale = await status(login.access);
      seen.refresh = await status(login.refresh);
      expect(seen).toEqual(expected);
    });
  });
});

class Counting implements NestInterceptor {
  intercept(_: unknown, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Public()
class OpenBase {
  @Get('base')
  base(): object {
    return {};
  }

  helper(): object {
    return {};
  }
}

@Controller('open-heir')
class OpenHeir extends OpenBase {
  @Get('new')
  added(): object {
    return {};
  }

  @Get('helper')
  override helper(): object {
    return {};
  }

  @Get('overridden')
  override base(): object {
    return {};
  }
}

@OptionalAccess()
class OptionalBase {
  @Get('base')
  base(): object {
    return {};
  }
}

@Controller('optional-heir')
@UseInterceptors(Counting)
class OptionalHeir extends OptionalBase {
  @Get('new')
  added(): object {
    return {};
  }
}

@FreshAccess()
class StrictBase {}

@Controller('strict-heir')
class StrictHeir extends StrictBase {
  @Get('new')
  added(): object {
    return {};
  }
}

describe('a declaration of a base class', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [OpenHeir, OptionalHeir, StrictHeir] });
  });
  afterAll(() => api.close());

  it.each([
    ['/open-heir/overridden', 200],
    ['/open-heir/new', 401],
    ['/open-heir/helper', 401],
    ['/optional-heir/base', 200],
    ['/optional-heir/new', 401],
  ])('opens the routes that the base class has, and no other: %s', async (path, status) => {
    await api.request('GET', path).expect(status);
  });

  it('restricts the new routes of a subclass', async () => {
    const login = await api.login();
    await api.request('GET', '/strict-heir/new', login.access).expect(200);
    await login.rotate();
    await api.request('GET', '/strict-heir/new', login.access).expect(401);
  });
});
