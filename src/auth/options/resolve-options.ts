import { checkOptions, freezeOptions, type OptionProblem } from '../../config/check-options.js';
import { formatDuration } from '../../time/duration.js';
import { type KeySource } from '../../keys/key-file.js';
import { AuthOptions } from './auth-options.js';

/** The input form of options: durations may be text, a list may be its only member, and all may be omitted. */
type Given<T> = T extends readonly (infer Member)[]
  ? Member | readonly Member[]
  : T extends number
    ? number | string
    : T extends object
      ? { readonly [K in keyof T]?: Given<T[K]> }
      : T;

/** The options of `AuthModule.forRoot`: the keys, and what differs from the defaults. */
export type AuthModuleOptions = Pick<AuthOptions, 'keys'> & Given<Omit<AuthOptions, 'keys'>>;

/** Names each invalid or contradicting option, and what is expected. */
export class AuthOptionsError extends Error {
  override readonly name = 'AuthOptionsError';

  constructor(readonly problems: OptionProblem[]) {
    super(problems.map(({ option, problem }) => `${option}: ${problem}`).join('\n'));
  }
}

/** @throws AuthOptionsError */
export function resolveOptions(all: AuthModuleOptions | null | undefined): AuthOptions {
  // A factory without a `return` gives undefined.
  const { keys, ...given }: Partial<AuthModuleOptions> = all ?? {};
  const { options, problems } = checkOptions(AuthOptions, given);
  // Keys are checked when they are opened.
  if (typeof keys !== 'object' || keys === null) problems.push({ option: 'keys', problem: 'must be given' });
  if (problems.length > 0) throw new AuthOptionsError(problems);
  const named = withoutPrefixes(options, given);
  const contradictions = findContradictions(named, given);
  if (contradictions.length > 0) throw new AuthOptionsError(contradictions);
  return Object.freeze({ ...freezeOptions(named), keys: keys as KeySource });
}

/** Browsers refuse `__Host-` without Secure, so the default names have no prefix on plain HTTP. */
function withoutPrefixes(options: AuthOptions, given: Omit<AuthModuleOptions, 'keys'>): AuthOptions {
  if (options.cookies.secure) return options;
  const bare = (name: string) => name.replace(/^__Host-/, '');
  const { cookies, csrf } = options;
  return Object.assign(options, {
    cookies: {
      ...cookies,
      accessName: given.cookies?.accessName ?? bare(cookies.accessName),
      refreshName: given.cookies?.refreshName ?? bare(cookies.refreshName),
      deviceName: given.cookies?.deviceName ?? bare(cookies.deviceName),
    },
    csrf: { ...csrf, cookieName: given.csrf?.cookieName ?? bare(csrf.cookieName) },
  });
}

/**
 * Finds options that contradict each other.
 * @param nameOf what an option is called where it was given: the name of a variable
 */
export function findContradictions(
  options: AuthOptions,
  given: Omit<AuthModuleOptions, 'keys'>,
  nameOf: (option: string) => string = (option) => option,
): OptionProblem[] {
  const { tokens, sessions, cookies, csrf, locations } = options;
  const names = [
    { option: 'cookies.accessName', name: cookies.accessName, path: cookies.accessPath },
    { option: 'cookies.refreshName', name: cookies.refreshName, path: cookies.refreshPath },
    { option: 'cookies.deviceName', name: cookies.deviceName, path: '/' },
    { option: 'csrf.cookieName', name: csrf.cookieName, path: '/' },
  ];
  const found: [wrong: boolean, option: string, problem: string][] = [
    // Only given values can contradict: a default that is longer than the session is cut to it.
    ...(
      [
        ['tokens.accessTtl', given.tokens?.accessTtl, tokens.accessTtl],
        ['sessions.refreshTtl', given.sessions?.refreshTtl, sessions.refreshTtl],
      ] as const
    ).map(([option, chosen, ttl]): [boolean, string, string] => [
      chosen !== undefined && ttl > sessions.sessionTtl,
      option,
      `${formatDuration(ttl)} is longer than ${nameOf('sessions.sessionTtl')} (${formatDuration(sessions.sessionTtl)}); no token outlives its session`,
    ]),
    ...names.flatMap(({ option, name, path }): [boolean, string, string][] => [
      [
        /^__Host-/i.test(name) && (path !== '/' || cookies.domain !== undefined || !cookies.secure),
        option,
        `browsers refuse ${name} with another path than /, with a domain, or without secure; choose a name without __Host-`,
      ],
      [
        /^__Secure-/i.test(name) && !cookies.secure,
        option,
        `browsers refuse ${name} without secure; choose a name without __Secure-`,
      ],
      [
        names.some((other) => other.option !== option && other.name === name),
        option,
        `another cookie is named ${name} too`,
      ],
    ]),
    [
      cookies.sameSite === 'none' && !cookies.secure,
      'cookies.sameSite',
      'browsers refuse "none" without cookies.secure',
    ],
    [
      cookies.partitioned && !cookies.secure,
      'cookies.partitioned',
      'browsers refuse it without cookies.secure',
    ],
    [
      locations.accessName === locations.refreshName,
      'locations.refreshName',
      'must differ from locations.accessName: a token says by its name which kind it is',
    ],
  ];
  return found.filter(([wrong]) => wrong).map(([, option, problem]) => ({ option: nameOf(option), problem }));
}
