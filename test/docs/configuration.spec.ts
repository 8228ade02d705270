import { describe, expect, it } from '@jest/globals';
import { parseEnv } from 'node:util';
import { loadConfig, OPTIONS, VARIABLES } from '../../src/app.config.js';
import { quotesIn, readDocument, rowsOf } from './documents.js';

/* The documents name every variable, no other, with its default, as the application reads it. */

const KNOWN = VARIABLES.map(({ name }) => name);
const valuesOf = (env: Record<string, string>) => OPTIONS.map((type) => loadConfig(env).get(type));

/** `PORT` → `3000`, of every row; one that names two variables has two defaults. */
function tableOf(document: string): [variable: string, shown: string][] {
  return rowsOf(document).flatMap(([names = '', defaults = '']) => {
    const shown = defaults.split(', ').map((each) => quotesIn(each)[0] ?? '');
    const variables = quotesIn(names);
    expect([names, shown.length]).toEqual([names, variables.length]);
    return variables.map((name, i): [string, string] => [name, shown[i] ?? '']);
  });
}

/** Both as the application reads them: a value other than the default shows. */
function expectDefaults(written: [variable: string, shown: string][]): void {
  expect(written.map(([name]) => name).toSorted()).toEqual(KNOWN.toSorted());
  expect(valuesOf(Object.fromEntries(written))).toEqual(valuesOf({}));
}

describe('docs/configuration.md', () => {
  it('lists every variable with its default, and no other', () => {
    expectDefaults(tableOf(readDocument('docs/configuration.md')));
  });
});

describe('.env.example', () => {
  const text = readDocument('.env.example');
  const lines = text.split('\n').filter((line) => /^#[A-Z]/.test(line));

  it('lists every variable with its default, and no other', () => {
    const uncommented = lines.map((line) => line.slice(1)).join('\n');
    expect(lines).toHaveLength(KNOWN.length);
    expectDefaults(Object.entries(parseEnv(uncommented)).map(([name, value]) => [name, value ?? '']));
  });

  it('says a word about each', () => {
    const blocks = text.trim().split('\n\n').slice(1);
    for (const block of blocks) expect(block).toMatch(/^(# .+\n)+#[A-Z].*$/);
  });

  it('sets nothing where it is copied as it is', () => {
    expect(parseEnv(text)).toEqual({});
  });
});
