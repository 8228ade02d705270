import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

/* docs/security.md says which test proves what: it must not point at nothing. */

/** Named before they are there. Empty this list once they are. */
const PENDING = [
  'docs/limits.md',
  'docs/passwords.md',
  'docs/operation.md',
  'test/limits/',
  'test/load/',
  'test/operation/',
];

const document = readFileSync('docs/security.md', 'utf8');
const checklist = readFileSync('test/security/checklist.e2e-spec.ts', 'utf8');
const rows = [...document.matchAll(/^\| (\d+) +\|(.*)\|$/gm)].map(([, number, text = '']) => ({
  number: Number(number),
  text,
}));

describe('docs/security.md', () => {
  it('has a row for each of the hundred requirements, in their order', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('says of each that it is met, met in part, not met or does not apply; and what shows it', () => {
    const wrong = rows.filter(({ text }) => {
      const [, state = ''] = text.split('|').map((cell) => cell.trim());
      if (!/^(met|in part|not met|does not apply)\b/.test(state)) return true;
      return /^(met|in part)\b/.test(state) && !/`(test|src|docs)\//.test(text);
    });
    expect(wrong).toEqual([]);
  });

  it('names files that exist', () => {
    const named = [...document.matchAll(/`((?:test|src|docs)\/[\w./-]+)`|\]\(((?:\.\.\/)?[\w./-]+)\)/g)].map(
      ([, path, link]) => path ?? (link!.startsWith('../') ? link!.slice(3) : `docs/${link}`),
    );
    expect(named.length).toBeGreaterThan(50);
    const missing = named.filter((path) => !existsSync(path));
    expect(missing.filter((path) => !PENDING.some((area) => path.startsWith(area)))).toEqual([]);
  });

  it('sends each numbered test of the checklist from the row of its number', () => {
    const tested = [...checklist.matchAll(/'((?:#\d+ )+)/g)].flatMap(([, numbers = '']) =>
      numbers.trim().split(' ').map((number) => Number(number.slice(1))),
    ); // prettier-ignore
    expect(tested.length).toBeGreaterThan(10);
    const named = rows.filter(({ text }) => text.includes('test/security/checklist.e2e-spec.ts'));
    expect(named.map(({ number }) => number)).toEqual([...new Set(tested)].toSorted((a, b) => a - b));
  });
});
