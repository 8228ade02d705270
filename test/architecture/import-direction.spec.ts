import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const SRC = join(import.meta.dirname, '../../src');

/**
 * The files that each room (a folder of src) may import from other rooms. Dependencies point downward only; the leaves do
 * not import each other. `main.ts` and the `app.*` files put everything together and may import anything.
 */
const RULES: Record<string, string[]> = {
  client: [],
  time: [],
  http: [],
  database: ['time/clock'],
  passwords: [],
  keys: ['time/*'],
  tokens: ['keys/*', 'time/*'],
  users: ['database/index'],
  sessions: ['database/index', 'tokens/proof'],
  audit: ['database/index'],
  'rate-limits': ['database/index', 'time/*', 'http/client-address', 'audit/audit-log'],
  mail: ['database/index', 'time/*', 'users/email-address', 'config/from-env'],
  accounts: [
    'auth/index',
    'auth/internals',
    'database/index',
    'mail/index',
    'users/email-address',
    'config/from-env',
    'config/validators',
  ],
  openapi: ['auth/index', 'auth/internals', 'time/*', 'tokens/*'],
  auth: [
    'time/*',
    'http/*',
    'keys/*',
    'tokens/*',
    'passwords/*',
    'users/*',
    'sessions/*',
    'rate-limits/*',
    'audit/*',
    'database/index',
    'config/from-env',
    'config/validators',
    'config/check-options',
  ],
  administration: [
    'auth/index',
    'auth/internals',
    'database/index',
    'mail/index',
    'passwords/*',
    'users/*',
    'config/validators',
  ],
  config: ['time/*'],
  factors: [
    'auth/index',
    'auth/internals',
    'database/index',
    'keys/*',
    'rate-limits/rate-limited.error',
    'sessions/used-tokens',
    'tokens/proof',
  ],
  graphql: ['auth/index', 'auth/internals'],
  passkeys: [
    'auth/index',
    'auth/internals',
    'database/index',
    'passwords/stored-hash',
    'sessions/used-tokens',
  ],
  features: ['auth/index', 'database/index', 'mail/index', 'config/from-env', 'config/validators'],
  pages: ['auth/index', 'mail/index', 'config/from-env', 'config/validators'],
  health: ['auth/index', 'auth/internals', 'database/index'],
  logging: ['http/*', 'config/server-options'],
  metrics: ['http/*', 'auth/index', 'auth/internals', 'database/index', 'health/*'],
  testing: [
    'passkeys/index',
    'accounts/index',
    'mail/index',
    'auth/index',
    'auth/internals',
    'passwords/*',
    'tokens/*',
    'keys/*',
    'time/*',
    'database/index',
  ],
  microservices: ['auth/index', 'auth/internals'],
  websockets: ['auth/index', 'auth/internals', 'time/*'],
  cli: [
    'app.module',
    'app.config',
    'administration/index',
    'openapi/served-documents',
    'http/adapter',
    'config/*',
    'auth/index',
    'auth/internals',
    'auth/options/auth-options',
    'keys/*',
    'tokens/*',
    'time/*',
    'database/index',
  ],
};

/**
 * The parts of `auth/`, folders and files, from the lowest floor up. Each imports only what is on a lower floor, so there
 * are no circles, and a part can be read without those above it.
 */
const AUTH_FLOORS: readonly (readonly string[])[] = [
  ['application-config', 'declarations', 'errors', 'request'],
  ['dto', 'hooks', 'options', 'roles', 'transports'],
  ['accounts', 'cookies', 'error.filter', 'guard'],
  ['access', 'fresh-access', 'refresh', 'streams', 'jwks.controller'],
  ['auth-policy.guard', 'handler-check', 'login', 'sessions'],
  ['auth.module'],
  ['index', 'internals'],
];

/** Packages that rooms without HTTP must not import. */
const HTTP = /^(node:https?|fastify|express|@nestjs\/(core|passport|swagger|terminus|platform-\w+))(\/|$)/;
const LEAVES = [
  'time',
  'keys',
  'tokens',
  'passwords',
  'database',
  'users',
  'sessions',
  'rate-limits',
  'audit',
];

/** Lines; a file that is longer holds more than one concept. */
const LONGEST_FILE = 250;
/** From the OpenAPI document. */
const GENERATED = 'client/api';

interface SourceFile {
  /** Relative to src, without extension. */
  name: string;
  room: string;
  text: string;
  lines: number;
  imports: string[];
}

function readSources(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8');
      const specifiers = [...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'/gm)];
      return {
        name: path.replace(/\.ts$/, ''),
        room: path.includes('/') ? path.slice(0, path.indexOf('/')) : '',
        text,
        lines: text.split('\n').length,
        imports: specifiers.map(([, from, bare]) => resolve(path, from ?? bare ?? '')),
      };
    });
}

/** `src`-relative for our own files, else the package's name. */
function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return relative(SRC, join(SRC, dirname(from), specifier)).replace(/\.js$/, '');
}

describe('the source', () => {
  const files = readSources();
  const rooms = [...new Set(files.map(({ room }) => room))].filter(Boolean);

  it('has exactly the modules that the rules list', () => {
    expect(rooms.toSorted()).toEqual(Object.keys(RULES).toSorted());
  });

  it('imports downward only, each module through its index', () => {
    const wrong = files.flatMap(({ name, room, imports }) =>
      imports
        .filter((target) => rooms.includes(target.split('/')[0] ?? '') && room !== '')
        .filter((target) => !sameUnit(name, target) && !allowed(room, target))
        .map((target) => `${name} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no circular dependency of modules', () => {
    const arrows = files.flatMap(({ room, imports }) =>
      imports
        .map((target) => target.split('/')[0] ?? '')
        .filter((target) => room !== '' && target !== room && rooms.includes(target))
        .map((target): [string, string] => [room, target]),
    );
    expect(inCircles(arrows)).toEqual([]);
    expect(
      inCircles([
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'b'],
      ]),
    ).toEqual(['a', 'b', 'c']);
  });

  it('imports downward only inside auth, on seven floors', () => {
    const floorOf = new Map(AUTH_FLOORS.flatMap((parts, floor) => parts.map((part) => [part, floor])));
    const partOf = (name: string) => name.split('/')[1] ?? '';
    const inAuth = files.filter(({ room }) => room === 'auth');
    expect([...new Set(inAuth.map(({ name }) => partOf(name)))].toSorted()).toEqual(
      [...floorOf.keys()].toSorted(),
    );
    const wrong = inAuth.flatMap(({ name, imports }) =>
      imports
        .filter((target) => target.startsWith('auth/') && partOf(target) !== partOf(name))
        .filter(
          (target) => (floorOf.get(partOf(target)) ?? Infinity) >= (floorOf.get(partOf(name)) ?? -Infinity),
        )
        .map((target) => `${name} → ${target}`),
    );
    expect(wrong).toEqual([]);
    expect(AUTH_FLOORS.length).toBeLessThanOrEqual(7);
  });

  it('keeps HTTP out of the leaf modules', () => {
    const wrong = files
      .filter(({ room }) => LEAVES.includes(room))
      .flatMap(({ name, imports }) =>
        imports.filter((target) => HTTP.test(target)).map((target) => `${name} → ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('imports only packages that package.json names', () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(SRC, '../package.json'), 'utf8'),
    ) as Record<'dependencies' | 'peerDependencies' | 'peerDependenciesMeta', object>;
    const optional = (name: string) => name in peerDependenciesMeta;
    const ours = new Set(files.map(({ name }) => name));
    const packages = files.flatMap(({ name, room, imports }) =>
      imports
        .filter((target) => !ours.has(target) && !target.startsWith('node:'))
        .map((target) => ({
          name,
          room,
          needs: target.split('/', target.startsWith('@') ? 2 : 1).join('/'),
        })),
    );
    expect(packages.length).toBeGreaterThan(100);
    // Of these rooms, applications install what they use.
    const optionalRooms = ['graphql', 'microservices', 'testing', 'websockets'];
    const wrong = packages.filter(
      ({ room, needs }) =>
        !(
          needs in dependencies ||
          (needs in peerDependencies && (optionalRooms.includes(room) || !optional(needs)))
        ),
    );
    expect(wrong).toEqual([]);
  });

  it('has no file longer than one concept needs', () => {
    const long = files
      .filter(({ name, lines }) => lines > LONGEST_FILE && name !== GENERATED)
      .map(({ name, lines }) => `${name}: ${lines}`);
    expect(long).toEqual([]);
  });
});

/** A folder of src is one unit. In `features/`, each folder is one, and features import each other by their index. */
function sameUnit(name: string, target: string): boolean {
  const unit = (path: string) =>
    path
      .split('/')
      .slice(0, path.startsWith('features/') ? 2 : 1)
      .join('/');
  return (
    unit(name) === unit(target) ||
    name.startsWith('features/features.') ||
    (name.startsWith('features/') && /^features\/[^/]+\/index$/.test(target))
  );
}

function allowed(room: string, target: string): boolean {
  return (RULES[room] ?? []).some((rule) =>
    rule.endsWith('/*') ? target.startsWith(rule.slice(0, -1)) : rule === target,
  );
}

/** Removes, again and again, all that imports nothing of the rest. What remains: circles, and what imports them. */
function inCircles(arrows: readonly (readonly [from: string, to: string])[]): string[] {
  let left = new Set(arrows.flat());
  for (;;) {
    const rest = new Set(
      [...left].filter((name) => arrows.some(([from, to]) => from === name && left.has(to))),
    );
    if (rest.size === left.size) return [...rest].toSorted();
    left = rest;
  }
}
