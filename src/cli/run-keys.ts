// Not from `auth/index.js`, which loads the whole server: without it, this command takes a third of the time.
import { AuthOptions } from '../auth/options/auth-options.js';
import { ConfigError, type Environment, readConfig } from '../config/config.js';
import { ServerOptions } from '../config/server-options.js';
import { changeKeyFile } from '../keys/key-file-lock.js';
import {
  createKeyFile,
  DEFAULT_ALGORITHM,
  generateKey,
  generateKeySet,
  readKeyFile,
} from '../keys/key-file.js';
import {
  KeyRingError,
  type KeyUse,
  type PrivateJwk,
  type PrivateJwkSet,
  readKeySet,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  type TokenKind,
} from '../keys/key-ring.js';
import { readPemKey } from '../keys/pem-key.js';
import {
  add,
  type Change,
  type Removal,
  removeNow,
  retire,
  rotate,
  stateOf,
  toTime,
  withoutEnded,
} from '../keys/key-rotation.js';
import { OperatorError, type Outcome, parseWords } from './operator.js';
import { formatTable } from './table.js';

const HELP = `Changes the file that AUTH_KEYS_FILE names, under running servers: they read it within two seconds.

  npm run keys -- generate [--alg ES256]       make the file; never over an existing one
  npm run keys -- rotate [--kind access|refresh|factor] [--alg ALG]
                                               add a key that signs in six minutes: one for each kind of token, or one
                                               of a kind; factor: for the secrets of second factors enrolled from then on
  npm run keys -- import FILE.pem [--kind access|refresh] [--alg ALG]
                                               add a private key of your own, which signs as one of rotate does;
                                               creates the file if it does not exist
  npm run keys -- retire [KID]                 let one key, or all that have a successor, end with their last token
  npm run keys -- retire KID --now             remove a key that may have been stolen
  npm run keys -- list                         what each key does

ALG is one of ${SIGNING_ALGORITHMS.join(', ')}. See docs/keys.md.
`;

const OPTIONS = { alg: { type: 'string' }, kind: { type: 'string' }, now: { type: 'boolean' } } as const;

interface Input {
  path: string;
  /** Milliseconds. */
  now: number;
  ttl: Record<TokenKind, number>;
  /** The word after the command. */
  kid: string | undefined;
  file: string | undefined;
  alg: SigningAlgorithm | undefined;
  kind: KeyUse | undefined;
  atOnce: boolean;
}

const COMMANDS: Record<string, { takes: string[]; run: (input: Input) => string[] }> = {
  generate: {
    takes: ['alg'],
    run: ({ path, alg }) => {
      if (!createKeyFile(path, generateKeySet(alg))) {
        throw new KeyRingError(`${path} exists and is not replaced: a new file would log all users out`);
      }
      return [`made ${path}; keep it like a password`];
    },
  },
  rotate: {
    takes: ['kind', 'alg'],
    run: (input) =>
      change(input, (set) => {
        const lines: string[] = [];
        for (const kind of input.kind ? [input.kind] : (['access', 'refresh'] as const)) {
          const { set: next, result: made } = rotate(set, kind, input.now, input.alg);
          lines.push(signsFrom(made));
          set = next;
        }
        return { set, result: lines };
      }),
  },
  import: { takes: ['file', 'kind', 'alg'], run: importKey },
  retire: {
    takes: ['kid', 'now'],
    run: (input) => (input.atOnce ? removeCompromised(input) : retireSuperseded(input)),
  },
  list: { takes: [], run: ({ path, now }) => list(readKeyFile(path), now) },
};

function importKey(input: Input): string[] {
  const { path, now, kind = 'access', alg, file } = input;
  if (file === undefined) throw new OperatorError('import needs the FILE of the key');
  if (kind === 'factor')
    throw new OperatorError('import takes --kind access or refresh: keys of second factors are made here');
  const jwk = readPemKey(file, kind, alg);
  const others = (['access', 'refresh', 'factor'] as const).filter((use) => use !== kind);
  if (createKeyFile(path, { keys: [jwk, ...others.map((use) => generateKey(use, DEFAULT_ALGORITHM[use]))] }))
    return [
      `made ${path}; keep it like a password`,
      `${jwk.kid} (${jwk.alg}) signs ${kind} tokens from now on`,
    ];
  return change(input, (set) => {
    const { set: next, result: added } = add(set, jwk, now);
    return { set: next, result: [signsFrom(added)] };
  });
}

function signsFrom({ kid, alg, token_use: kind, signs_from: from }: PrivateJwk): string {
  const use = kind === 'factor' ? 'is for second factors enrolled' : `signs ${kind} tokens`;
  return `${kid} (${alg}) ${use} from ${toTime(Number(from) * 1000)} on`;
}

function retireSuperseded(input: Input): string[] {
  return change(input, (set) => {
    const { set: next, result: retired } = retire(set, input.ttl, input.now, input.kid);
    const lines = retired.map(
      ({ kid, verifies_until: end }) => `${kid} verifies until ${toTime(Number(end) * 1000)}`,
    );
    return {
      set: next,
      result: lines.length > 0 ? lines : ['no key has been superseded: nothing to retire'],
    };
  });
}

function removeCompromised(input: Input): string[] {
  const { kid } = input;
  if (kid === undefined) throw new OperatorError('--now needs the KID of the key');
  return change(input, (set) => {
    const { set: next, result } = removeNow(set, input.now, kid);
    return { set: next, result: costs(result) };
  });
}

function costs({ kid, kind, successor, made }: Removal): string[] {
  const price = {
    access: 'every access token that it signed is refused: clients refresh once',
    refresh: 'every refresh token that it signed is refused: those users log in again',
    factor:
      'every authenticator whose secret derives from it is void: those users log in with a recovery code and enrol again',
  };
  return [
    `${kid} is removed${kind === null ? ': no token of that issuer verifies by it' : `; ${price[kind]}`}`,
    ...(successor === null ? [] : [`${successor} signs from now on${made ? ', made for it' : ''}`]),
    'servers read this within two seconds; replace copies of the file on other machines yourself',
  ];
}

/** Changes the key file. Every change also removes the keys that ended more than a day ago. */
function change(input: Input, work: (set: PrivateJwkSet) => Change<string[]>): string[] {
  return changeKeyFile(input.path, input.now, (set) => {
    const changed = work(set);
    const kept = withoutEnded(changed.set, input.now);
    return {
      set: kept.set,
      result: [...changed.result, ...kept.result.map((kid) => `${kid} had ended and is removed`)],
    };
  });
}

function list(set: PrivateJwkSet, now: number): string[] {
  const keys = readKeySet(set);
  return formatTable([
    ['KID', 'KIND', 'ALG', 'STATE'],
    ...keys.map((key) => [key.kid, key.kind, key.alg, stateOf(keys, key, now)]),
  ]);
}

function run(args: string[], readEnvironment: () => Environment): string {
  const { values, positionals } = parseWords(args, OPTIONS);
  if (values.help) return HELP;
  const [name = '', word, ...more] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command)
    throw new OperatorError(name === '' ? 'No command was given' : `There is no command "${name}"`);
  const given = [...Object.keys(values), ...(word === undefined ? [] : [name === 'import' ? 'file' : 'kid'])];
  const wrong = given.find((option) => !command.takes.includes(option));
  if (wrong !== undefined)
    throw new OperatorError(`${name} takes no ${wrong === 'kid' ? `"${word}"` : `--${wrong}`}`);
  if (more.length > 0) throw new OperatorError(`${name} takes one ${name === 'import' ? 'FILE' : 'KID'}`);
  // Without the application: this command is in the package too.
  const config = readConfig(readEnvironment(), [ServerOptions, AuthOptions]);
  const { tokens, sessions } = config.get(AuthOptions);
  const lines = command.run({
    path: config.server.keysFile,
    now: Date.now(),
    ttl: { access: tokens.accessTtl, refresh: sessions.refreshTtl },
    kid: word,
    file: word,
    alg: oneOf(SIGNING_ALGORITHMS, 'alg', values.alg),
    kind: oneOf(['access', 'refresh', 'factor'], 'kind', values.kind),
    atOnce: values.now ?? false,
  });
  return `${lines.join('\n')}\n`;
}

function oneOf<T extends string>(allowed: readonly T[], option: string, value?: string): T | undefined {
  const found = allowed.find((each) => each === value);
  if (value !== undefined && found === undefined) {
    throw new OperatorError(`--${option} must be one of ${allowed.join(', ')}`);
  }
  return found;
}

/** Runs `npm run keys -- ARGS` inside this process. */
export function runKeys(args: string[], readEnvironment: () => Environment): Outcome {
  try {
    return { code: 0, stdout: run(args, readEnvironment), stderr: '' };
  } catch (thrown) {
    if (thrown instanceof OperatorError)
      return { code: 1, stdout: '', stderr: `${thrown.message}\n\n${HELP}` };
    if (thrown instanceof ConfigError || thrown instanceof KeyRingError)
      return { code: 1, stdout: '', stderr: `${thrown.message}\n` };
    throw thrown;
  }
}
