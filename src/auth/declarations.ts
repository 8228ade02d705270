/**
 * Values that decorators declare, kept by class and member name, on the prototype. Never on the function alone: a
 * decorator that replaces the method (timing, tracing) would lose them.
 */
export class Declarations<T> {
  /** @param repeated ends the message of the error for a second declaration on the same target */
  constructor(
    private readonly key: string,
    private readonly repeated: string,
  ) {}

  /**
   * A class decorator's target, or a method decorator's target and name.
   * @throws Error for a second declaration: the order of the decorators would decide which one holds
   */
  declare(value: T, target: object, member?: string | symbol): void {
    if (member === undefined) {
      const { name, prototype } = target as { name: string; prototype: object };
      if (Reflect.hasOwnMetadata(this.key, prototype)) throw new Error(`${name} ${this.repeated}`);
      Reflect.defineMetadata(this.key, value, prototype);
      return;
    }
    if (Reflect.hasOwnMetadata(this.key, target, member))
      throw new Error(`${target.constructor.name}.${String(member)} ${this.repeated}`);
    Reflect.defineMetadata(this.key, value, target, member);
  }

  /** The value of a member: its own, or that of the nearest base class whose member it overrides. */
  ofMember(prototype: object, member: string | symbol): T | undefined {
    return Reflect.getMetadata(this.key, prototype, member) as T | undefined;
  }

  /** The values of a class and its bases, the class first. */
  ofClasses(prototype: object): { value: T; prototype: object }[] {
    return lineageOf(prototype).flatMap((each) => {
      const value = Reflect.getOwnMetadata(this.key, each) as T | undefined;
      return value === undefined ? [] : [{ value, prototype: each }];
    });
  }
}

/** A prototype and those of its base classes, the nearest first. */
export function lineageOf(prototype: object): object[] {
  const lineage: object[] = [];
  for (let each: object | null = prototype; each && each !== Object.prototype;) {
    lineage.push(each);
    each = Object.getPrototypeOf(each) as object | null;
  }
  return lineage;
}
