import { type Type } from '@nestjs/common';
import { Field, Mutation, ObjectType, Query, ResolveField, Resolver } from '@nestjs/graphql';
import {
  Access,
  AccessOrRefresh,
  CurrentToken,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Refresh,
  Roles,
} from '../../src/auth/index.js';

type Declared = ClassDecorator & MethodDecorator;

/** Every declaration, by the name of the handlers that have it. */
export const DECLARATIONS: Record<string, Declared[]> = {
  undeclared: [],
  public: [Public()],
  access: [Access()],
  unchecked: [Access({ skipRevocationCheck: true })],
  leveled: [Access({ acr: 'mfa' })],
  optional: [OptionalAccess()],
  fresh: [FreshAccess()],
  short: [FreshAccess({ maxAge: '5m' })],
  strong: [FreshAccess({ acr: 'mfa', maxAge: '5m' })],
  refresh: [Refresh()],
  either: [AccessOrRefresh()],
  admin: [Roles('admin')],
  freshAdmin: [FreshAccess(), Roles('admin')],
};

@ObjectType()
export class Person {
  @Field(() => String, { nullable: true })
  plain?: string;
}

/** Answers with what its decorators give: who calls, and where the token was. */
function answer(user: Principal | null, location: string | null): string {
  return user ? `${user.userId} ${location}` : 'anonymous';
}

/** Adds a handler to a class, as a person would write it. */
function addHandler(target: Type, name: string, operation: MethodDecorator, declared: Declared[]): void {
  const prototype = target.prototype as object;
  // A function of its own, because Nest keeps its metadata on the function.
  const value = (...args: Parameters<typeof answer>) => answer(...args);
  const descriptor = { value, writable: true, configurable: true, enumerable: false };
  Object.defineProperty(prototype, name, descriptor);
  Reflect.defineMetadata('design:paramtypes', [Object, String], prototype, name);
  CurrentUser()(prototype, name, 0);
  CurrentToken('location')(prototype, name, 1);
  for (const decorate of [operation, ...declared]) decorate(prototype, name, descriptor);
}

const capitalised = (name: string) => name[0]?.toUpperCase() + name.slice(1);
const text = () => String;
/** An error of a field that is not nullable removes everything beside it. */
const NULLABLE = { nullable: true };

@Resolver(() => Person)
export class DeclaredResolver {
  @Public()
  @Query(() => Person)
  openPerson(): Person {
    return {};
  }

  @Query(() => Person)
  guardedPerson(): Person {
    return {};
  }
}

for (const [name, declared] of Object.entries(DECLARATIONS)) {
  addHandler(DeclaredResolver, `query${capitalised(name)}`, Query(text, NULLABLE), declared);
  addHandler(DeclaredResolver, `mutate${capitalised(name)}`, Mutation(text, NULLABLE), declared);
  addHandler(DeclaredResolver, `field${capitalised(name)}`, ResolveField(text, NULLABLE), declared);
}
