import { checkOptions, freezeOptions } from './check-options.js';
import { type OptionsClass, type Variable, variablesOf } from './from-env.js';
import { findMisspelt } from './misspelt.js';
import { ServerOptions } from './server-options.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A wrong setting: names it and the expected form. Several are reported at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: { variable: string; problem: string }[]) {
    super(problems.map(({ variable, problem }) => `${variable}: ${problem}`).join('\n'));
  }
}

interface Section {
  options: object;
  given: object;
}

/** The values of the environment, by options class. Frozen. */
export class AppConfig {
  readonly server: ServerOptions;

  constructor(
    private readonly sections: ReadonlyMap<OptionsClass, Section>,
    /** Sentences for the log of the start: variables that look misspelt. */
    readonly warnings: readonly string[],
  ) {
    this.server = this.get(ServerOptions);
  }

  /** The options with their defaults. @throws TypeError for a class that was not read */
  get<T extends object>(type: OptionsClass<T>): T {
    return this.section(type).options as T;
  }

  /** Only what the environment sets. @throws TypeError for a class that was not read */
  given<T extends object>(type: OptionsClass<T>): object {
    return this.section(type).given;
  }

  private section(type: OptionsClass): Section {
    const section = this.sections.get(type);
    if (!section) throw new TypeError(`${type.name} is not read from the environment: see app.config.ts`);
    return section;
  }
}

/**
 * Fills classes of options from the environment by what they declare with `@FromEnv`. An empty variable counts as absent.
 * @throws ConfigError that names every variable with a wrong value
 */
export function readConfig(env: Environment, types: readonly OptionsClass[]): AppConfig {
  const variables = types.flatMap((type) => variablesOf(type));
  const read = types.map((type) => readSection(env, type));
  const problems = read.flatMap((section) => section.problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const known = variables.map(({ name }) => name);
  return new AppConfig(
    new Map(read.map(({ type, options, given }) => [type, { options: freezeOptions(options), given }])),
    findMisspelt(Object.keys(env), known),
  );
}

function readSection(env: Environment, type: OptionsClass) {
  const variables = variablesOf(type);
  const given = {};
  for (const variable of variables) {
    const text = env[variable.name];
    if (text) assign(given, variable.option.split('.'), variable.list ? split(text) : text);
  }
  const { options, problems } = checkOptions(type, given);
  return { type, options, given, problems: problems.map((each) => named(each, variables, env)) };
}

/** Names the variable, and its value if the message does not show it. */
function named(
  { option, problem }: { option: string; problem: string },
  variables: Variable[],
  env: Environment,
): ConfigError['problems'][number] {
  const variable = variables.find((each) => each.option === option);
  if (!variable) throw new TypeError(`the default of ${option} is wrong: ${problem}`);
  const shown = variable.secret || !problem.startsWith('must') ? '' : ` (it is "${env[variable.name]}")`;
  return { variable: variable.name, problem: problem + shown };
}

function split(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

/** `['tokens', 'accessTtl']` of `{ tokens: { accessTtl } }`. */
function assign(target: Record<string, unknown>, [member = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) target[member] = value;
  else assign((target[member] ??= {}) as Record<string, unknown>, rest, value);
}
