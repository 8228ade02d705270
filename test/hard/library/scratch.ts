import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ROOT } from '../../docs/documents.js';

const run = promisify(execFile);

/** What the package is made of. */
const SOURCES = [
  'src',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.client.json',
  'tsconfig.pack.json',
  'nest-cli.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
];

/** What an application names itself besides the package: in the versions that are tested here. */
const BESIDES = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  '@nestjs/testing',
  '@types/node',
  '@types/supertest',
  'reflect-metadata',
  'rxjs',
  'supertest',
];

const COMPILER_OPTIONS = {
  target: 'es2023',
  module: 'nodenext',
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  // What the package declares must hold by itself.
  skipLibCheck: false,
  rootDir: '.',
  outDir: 'dist',
};

export interface Lockfile {
  packages: Record<string, { version?: string; hasInstallScript?: boolean }>;
}

/** Why nothing can be installed; undefined where it can. With CI=true that is no reason to go without. */
export async function whyNothingInstalls(): Promise<string | undefined> {
  try {
    await run('npm', ['view', 'kysely', 'version', '--fetch-retries=0', '--fetch-timeout=10000']);
    return undefined;
  } catch (error) {
    const reason = /npm error code .+|.+/.exec((error as { stderr: string }).stderr)?.[0] ?? String(error);
    if (process.env['CI'] === 'true')
      throw new Error(`the registry cannot be reached: ${reason}`, { cause: error });
    process.stderr.write(
      `\n!!! The tests of the package were SKIPPED: the registry cannot be reached: ${reason}\n`,
    );
    return reason;
  }
}

/** A Nest application in a folder of its own, which has this project as a package. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'freshgate-library-'));

  write(files: Record<string, string>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(this.path(path)), { recursive: true });
      writeFileSync(this.path(path), text);
    }
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** The packed file's name. */
  tarball = '';

  /** Packs and installs. */
  async install(): Promise<void> {
    await this.pack();
    const versions = readLockfile(join(ROOT, 'package-lock.json')).packages;
    const besides = BESIDES.map((name) => [name, versions[`node_modules/${name}`]?.version]);
    this.write({
      'package.json': JSON.stringify({
        name: 'team',
        private: true,
        type: 'module',
        dependencies: { freshgate: `file:./${this.tarball}`, ...Object.fromEntries(besides) },
        scarfSettings: { enabled: false },
      }),
      'tsconfig.json': JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ['src', 'test'] }),
    });
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: this.folder });
  }

  /** Tries to install the package in a folder of its own beside others. @throws what npm says */
  async installBeside(...others: string[]): Promise<void> {
    const cwd = mkdtempSync(this.path('beside-'));
    writeFileSync(join(cwd, 'package.json'), '{ "private": true }');
    await run('npm', ['install', '--dry-run', '--prefer-offline', this.path(this.tarball), ...others], {
      cwd,
    });
  }

  /** From a copy: the build would take the output away from under a server that another test runs. */
  private async pack(): Promise<void> {
    // Not below node_modules: there the compiler writes nothing of what an entry imports.
    const copy = mkdtempSync(join(tmpdir(), 'freshgate-pack-'));
    try {
      symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
      for (const name of SOURCES) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
      await run('npm', ['pack', '--pack-destination', this.folder], { cwd: copy });
    } finally {
      rmSync(copy, { recursive: true });
    }
    this.tarball = readdirSync(this.folder).find((name) => name.endsWith('.tgz')) ?? '';
  }

  installed(): Lockfile['packages'] {
    return readLockfile(this.path('node_modules/.package-lock.json')).packages;
  }

  /** What the compiler complains about, but for what lies between other packages. */
  async compile(): Promise<string[]> {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '--pretty', 'false'], { cwd: this.folder }).catch(
      (error: { stdout: string }) => error,
    );
    return stdout
      .split('\n')
      .filter((line) => /^\S.* error TS/.test(line) && !/^node_modules\/(?!freshgate\/)/.test(line));
  }

  /** @returns what `node` with these arguments says */
  async node(args: string[], env: Record<string, string> = {}): Promise<string> {
    const { stdout } = await run(process.execPath, args, {
      cwd: this.folder,
      env: { ...process.env, ...env },
    });
    return stdout;
  }

  async start(main: string, env: Record<string, string>): Promise<ScratchServer> {
    const port = await freePort();
    const { PATH = '', HOME = '' } = process.env;
    const cwd = mkdtempSync(this.path('run-'));
    const child = spawn(process.execPath, [this.path(`dist/src/${main}.js`)], {
      cwd,
      env: { PATH, HOME, PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ScratchServer(child, `http://127.0.0.1:${port}`);
    await server.listening();
    return server;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Answer {
  status: number;
  challenge: string | null;
  body: Record<string, unknown>;
}

export class ScratchServer {
  private output = '';

  constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  async listening(): Promise<void> {
    for (let tries = 0; tries < 150 && this.child.exitCode === null; tries++) {
      if (await fetch(this.url).catch(() => undefined)) return;
      await delay(100);
    }
    this.child.kill('SIGKILL');
    throw new Error(`the application does not listen:\n${this.output}`);
  }

  async request(method: string, path: string, token?: string, body?: object): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const challenge = response.headers.get('WWW-Authenticate');
    return { status: response.status, challenge, body: (text ? JSON.parse(text) : {}) as Answer['body'] };
  }

  /** @returns the status of a form that is sent */
  async submit(path: string, form: Record<string, string>): Promise<number> {
    const response = await fetch(this.url + path, { method: 'POST', body: new URLSearchParams(form) });
    return response.status;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}

export function readLockfile(path: string): Lockfile {
  return JSON.parse(readFileSync(path, 'utf8')) as Lockfile;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}
