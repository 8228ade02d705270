import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { type OptionsClass } from './from-env.js';

export interface OptionProblem {
  /** Such as `tokens.accessTtl`. */
  option: string;
  problem: string;
}

/** Fills missing options with their defaults and checks each option. */
export function checkOptions<T extends object>(
  type: OptionsClass<T>,
  given: object,
): { options: T; problems: OptionProblem[] } {
  const options = plainToInstance(type, given, { exposeDefaultValues: true });
  return {
    options,
    problems: flatten(validateSync(options, { whitelist: true, forbidNonWhitelisted: true })),
  };
}

function flatten(errors: ValidationError[], path = ''): OptionProblem[] {
  return errors.flatMap(({ property, constraints = {}, children = [] }) => {
    const option = path + property;
    const reason = constraints['whitelistValidation'] ? 'is not an option' : Object.values(constraints)[0];
    return [...(reason ? [{ option, problem: reason }] : []), ...flatten(children, `${option}.`)];
  });
}

/** Freezes options, their groups and their lists, so that guards can rely on them. */
export function freezeOptions<T extends object>(options: T): Readonly<T> {
  for (const value of Object.values(options) as unknown[])
    if (typeof value === 'object' && value !== null) freezeOptions(value);
  return Object.freeze(options);
}
