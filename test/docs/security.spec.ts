import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/* docs/security.md says which test shows what, and titles of tests say which requirement: both must say the same. */

/** Tests that are named before they are there. Empty this list once they are. */
const PENDING: string[] = [];

const document = readFileSync('docs/security.md', 'utf8');
const [threats = '', requirements = ''] = document.split('## A hundred requirements');

const filesIn = (text: string) =>
  [...text.matchAll(/`((?:test|src|docs)\/[\w./-]*)`/g)].map(([, path]) => path!);
const isMissing = (path: string) => !existsSync(path);
const isPending = (path: string) => isMissing(path) && PENDING.some((area) => path.startsWith(area));
const isTest = (path: string) => path.endsWith('spec.ts');

/** The cells of each row under a table's line of dashes. */
function rowsOf(text: string): string[][] {
  return [...text.matchAll(/^\|(?! -)(.*)\|$/gm)]
    .map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
    .filter(([first]) => first !== '#' && first !== 'attack');
}

const rows = rowsOf(requirements).map(([number, name = '', state = '', shownBy = '']) => {
  return { number: Number(number), name, state, shownBy: filesIn(shownBy) };
});

/** The requirements that titles of tests begin with, each as `#` and its number, and the files of these tests. */
const tested = new Map<number, Set<string>>();
for (const root of ['src', 'test']) {
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!isTest(path)) continue;
    const file = `${root}/${path.replaceAll('\\', '/')}`;
    for (const [, numbers = ''] of readFileSync(file, 'utf8').matchAll(/['"`]((?:#\d+ )+)/g)) {
      for (const number of numbers
        .trim()
        .split(' ')
        .map((each) => Number(each.slice(1)))) {
        tested.set(number, (tested.get(number) ?? new Set()).add(file));
      }
    }
  }
}

describe('docs/security.md', () => {
  it('has a row for each of the hundred requirements, in their order', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('says of each that it is met, met in part, not met or does not apply, and of the latter why', () => {
    const wrong = rows.filter(
      ({ state }) => !/^(met$|met[:;,] .|in part: .|not met: .|does not apply: .)/.test(state),
    );
    expect(wrong).toEqual([]);
  });

  it('names for what is met, be it in part, the tests whose titles have its number, all of them and no other', () => {
    const written = rows.map(({ number, shownBy }) => [number, shownBy.filter((path) => !isPending(path))]);
    const found = rows.map(({ number }) => [number, [...(tested.get(number) ?? [])].toSorted()]);
    expect(written).toEqual(found);
    const shown = rows.filter(({ shownBy }) => shownBy.some((path) => !isPending(path)));
    const due = rows.filter(({ state }) => /^(met|in part)/.test(state));
    expect(shown.map(({ number }) => number)).toEqual(due.map(({ number }) => number));
  });

  it('numbers no requirement that is not there', () => {
    expect([...tested.keys()].filter((number) => !rows.some((row) => row.number === number))).toEqual([]);
  });

  it('names a test for each attack', () => {
    const attacks = rowsOf(threats);
    expect(attacks.length).toBeGreaterThan(25);
    const wrong = attacks.filter(([attack = '', control = '', test = '']) => {
      const files = filesIn(test);
      const isProved = files.length > 0 && files.every(isTest) && !files.every(isPending);
      return attack === '' || control === '' || !isProved;
    });
    expect(wrong).toEqual([]);
  });

  it('names files that exist', () => {
    const links = [...document.matchAll(/\]\(((?:\.\.\/)?[\w./-]+)(?:#[\w-]+)?\)/g)].map(([, link = '']) =>
      link.startsWith('../') ? link.slice(3) : `docs/${link}`,
    );
    const named = [...filesIn(document), ...links];
    expect(named.filter((path) => isMissing(path) && !isPending(path))).toEqual([]);
  });
});
