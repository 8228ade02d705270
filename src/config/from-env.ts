/** A class whose members are options with their defaults: `new Options()` has every default. */
export type OptionsClass<T extends object = object> = new () => T;

export interface FromEnvOptions {
  /** The value may hold a password: no message repeats it. */
  secret?: boolean;
}

/** An environment variable and the option that it sets. */
export interface Variable {
  name: string;
  /** `tokens.accessTtl`: where the option is, from the options class on. */
  option: string;
  /** Whether the text is a list, separated by commas. */
  list: boolean;
  secret: boolean;
}

type Declaration = { name: string; secret: boolean };

const declarations = new WeakMap<object, Map<string, Declaration>>();

/** Lets an environment variable set this option: `@FromEnv('ACCESS_TOKEN_TTL')`. */
export function FromEnv(name: string, { secret = false }: FromEnvOptions = {}): PropertyDecorator {
  return (target, property) => {
    const known = declarations.get(target) ?? new Map<string, Declaration>();
    declarations.set(target, known.set(String(property), { name, secret }));
  };
}

/** The variables of an options class and of the groups in it, in the order of their declaration. */
export function variablesOf(options: OptionsClass): Variable[] {
  return walk(new options(), '');
}

function walk(group: object, path: string): Variable[] {
  const declared = declarations.get(Object.getPrototypeOf(group) as object);
  return Object.entries(group).flatMap(([member, value]: [string, unknown]): Variable[] => {
    const declaration = declared?.get(member);
    if (declaration) return [{ ...declaration, option: path + member, list: Array.isArray(value) }];
    return isGroup(value) ? walk(value, `${path}${member}.`) : [];
  });
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
