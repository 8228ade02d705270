import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '../../src/app.config.js';
import { ServerOptions } from '../../src/config/server-options.js';
import { readDocument, ROOT } from './documents.js';

/* Compares the files of deployment and CI with the sources. Builds nothing. */

const DOCKERFILE = readDocument('Dockerfile');
const COMPOSE = readDocument('compose.yaml');
const WORKFLOW = readDocument('.github/workflows/ci.yml');
const { engines } = JSON.parse(readDocument('package.json')) as { engines: { node: string } };
const KNOWN = VARIABLES.map(({ name }) => name);

const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found);
const TESTED = all(WORKFLOW, /node: \[(.+)\]/g).flatMap((list) => list.split(', '));

describe('the workflow', () => {
  it('tests from the oldest Node that is supported on, by .ci/run', () => {
    expect(all(engines.node, /(\d+)\.\d+\.\d+/g)).toEqual(TESTED.slice(0, 2));
    expect(TESTED.length).toBeGreaterThan(2);
    expect(WORKFLOW).toMatch(/run: \.ci\/run$/m);
    expect(existsSync(join(ROOT, '.ci/run'))).toBe(true);
  });

  it('pins the actions and images of others by their hash', () => {
    const used = all(WORKFLOW, /uses: (.+)/g);
    expect(used.length).toBeGreaterThan(1);
    for (const each of used) expect(each).toMatch(/@[0-9a-f]{40} # v[\d.]+$/);
  });
});

describe('the Dockerfile', () => {
  it('builds and runs on one Node, which is tested', () => {
    const [build, run, ...more] = all(DOCKERFILE, /^FROM node:(\d+)-slim/gm);
    expect([build, more]).toEqual([run, []]);
    expect(TESTED).toContain(run);
  });

  it('copies files that exist and that .dockerignore does not exclude', () => {
    const copied = all(DOCKERFILE, /^COPY (?!--from)(.+) \S+$/gm).flatMap((names) => names.split(' '));
    expect(copied.length).toBeGreaterThan(4);
    expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    const allowed = all(readDocument('.dockerignore'), /^!(.+)$/gm);
    expect(allowed.toSorted()).toEqual(copied.toSorted());
  });

  it('sets variables that there are, and none that is secret', () => {
    const set = all(DOCKERFILE, /^ENV (.+)$/gm).flatMap((line) => all(line, /(\w+)=/g));
    expect(set.toSorted()).toEqual(['AUTH_KEYS_FILE', 'HOST', 'NODE_ENV']);
    expect(set.filter((name) => !KNOWN.includes(name))).toEqual([]);
  });

  it('asks for the port that the server has', () => {
    const { port } = new ServerOptions();
    expect(all(DOCKERFILE, /^EXPOSE (\d+)$/gm)).toEqual([`${port}`]);
    expect(DOCKERFILE).toContain(`process.env.PORT || ${port}}/health/live`);
    expect(COMPOSE).toContain(`- 127.0.0.1:${port}:${port}\n`);
  });
});

describe('compose.yaml', () => {
  it('passes every setting on, but for those that the image or its place decide', () => {
    const decided = ['NODE_ENV', 'HOST', 'PORT', 'AUTH_KEYS_FILE'];
    const set = all(COMPOSE, /^ {6}([A-Z_]+):/gm).filter((name) => !name.startsWith('POSTGRES_'));
    expect([...set, ...decided].toSorted()).toEqual(KNOWN.toSorted());
  });

  it('holds no password', () => {
    expect(all(COMPOSE, /POSTGRES_PASSWORD: (.+)/g)).toEqual([
      expect.stringMatching(/^\$\{POSTGRES_PASSWORD:\?/),
    ]);
    expect(all(COMPOSE, /postgres:\/\/\w+:(.+)@/g)).toEqual(['${POSTGRES_PASSWORD}']);
  });
});
