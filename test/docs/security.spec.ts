import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

/* docs/security.md names the tests that show what it says: each must be there, under its title. */

const document = readFileSync('docs/security.md', 'utf8');
const [threats = '', requirements = ''] = document.split('## A hundred requirements');

const isTest = (path: string) => path.endsWith('spec.ts');
const filesIn = (text: string) =>
  [...text.matchAll(/`((?:test|src|docs)\/[\w./-]*)`/g)].map(([, path = '']) => path);

interface Requirement {
  number: number;
  state: string;
  reason: string;
  tests: { file: string; title: string }[];
}

/** `36. A lost answer …: **met**.` and, below it, `- `file`: “title”` for each of its tests. */
function readRequirements(text: string): Requirement[] {
  const all: Requirement[] = [];
  for (const line of text.split('\n')) {
    const [, number, state = '', reason = ''] = /^(\d+)\. +.+?: \*\*(.+?)\*\*(?:: (.+))?\.$/.exec(line) ?? [];
    if (number !== undefined) all.push({ number: Number(number), state, reason, tests: [] });
    const [, file, title = ''] = /^ +- `(.+?)`: “(.+)”$/.exec(line) ?? [];
    if (file !== undefined) all.at(-1)?.tests.push({ file, title: title.replaceAll('\\', '') });
  }
  return all;
}

/** Whether a file declares a test, or a group of tests, of this title. */
function hasTitle(file: string, title: string): boolean {
  return (
    existsSync(file) &&
    [`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) => readFileSync(file, 'utf8').includes(quoted))
  );
}

const all = readRequirements(requirements);

describe('docs/security.md', () => {
  it('has each of the hundred requirements, in their order', () => {
    expect(all.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('says of each that it is met, in part, not met or does not apply, and of all but the first why', () => {
    const states = ['met', 'in part', 'not met', 'does not apply'];
    const wrong = all.filter(({ state, reason }) => !states.includes(state) || (state !== 'met' && !reason));
    expect(wrong).toEqual([]);
  });

  it('names tests for requirements that are met or met in part, and for no others', () => {
    const wrong = all.filter(({ state, tests }) => ['met', 'in part'].includes(state) !== tests.length > 0);
    expect(wrong).toEqual([]);
  });

  it('names tests that are there, by their titles', () => {
    const named = all.flatMap(({ number, tests }) => tests.map((test) => ({ number, ...test })));
    expect(named.filter(({ file, title }) => !hasTitle(file, title))).toEqual([]);
    expect(hasTitle('test/docs/security.spec.ts', ['no', 'such title'].join(' '))).toBe(false);
  });

  it('names a test for each attack', () => {
    const attacks = [...threats.matchAll(/^\|(?! -)(.*)\|$/gm)]
      .map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
      .filter(([first]) => first !== 'attack');
    expect(attacks.length).toBeGreaterThan(25);
    const wrong = attacks.filter(([attack = '', control = '', test = '']) => {
      const files = filesIn(test);
      return attack === '' || control === '' || files.length === 0 || !files.every(isTest);
    });
    expect(wrong).toEqual([]);
  });

  it('names files that exist', () => {
    const links = [...document.matchAll(/\]\(((?:\.\.\/)?[\w./-]+)(?:#[\w-]+)?\)/g)].map(([, link = '']) =>
      link.startsWith('../') ? link.slice(3) : `docs/${link}`,
    );
    expect([...filesIn(document), ...links].filter((path) => !existsSync(path))).toEqual([]);
  });
});
