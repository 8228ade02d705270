import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { readDocument, ROOT } from './documents.js';

const inFolder = (folder: string) =>
  readdirSync(join(ROOT, folder), { encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const DOCUMENTS = ['.', 'docs', 'docs/decisions'].flatMap(inFolder);

/** The text without code, which has neither links nor headings. */
const prose = (path: string) => readDocument(path).replace(/^(```+)[^]*?^\1$/gm, '');

/** The anchors of a document, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  return [...prose(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function linksOf(path: string): string[] {
  return [...prose(path).matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)].map(([, target = '']) => target);
}

function leads(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(ROOT, target))) return false;
  if (anchor === undefined) return true;
  return statSync(join(ROOT, target)).isFile() && anchorsOf(target).includes(anchor);
}

describe('the documents', () => {
  it('link to files and headings that there are', () => {
    expect(DOCUMENTS.flatMap(linksOf).length).toBeGreaterThan(100);
    const broken = DOCUMENTS.flatMap((path) =>
      linksOf(path)
        .filter((link) => !leads(path, link))
        .map((link) => `${path}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it('would not pass with a link that leads nowhere', () => {
    expect(leads('README.md', 'docs/keys.md#rotate')).toBe(true);
    expect(leads('docs/keys.md', '#rotate')).toBe(true);
    for (const link of ['docs/key.md', 'docs/keys.md#rotation', '#nowhere'])
      expect(leads('README.md', link)).toBe(false);
  });

  it('are all to be found from the README', () => {
    const linked = linksOf('README.md').map((link) => normalize(link));
    const expected = [
      ...inFolder('docs'),
      ...inFolder('.').filter((path) => path !== 'README.md'),
      'docs/decisions',
    ];
    expect(expected.filter((path) => !linked.includes(normalize(path)))).toEqual([]);
    const decisions = linksOf('docs/decisions/README.md').map((link) => join('docs/decisions', link));
    expect(
      inFolder('docs/decisions').filter((path) => !/README/.test(path) && !decisions.includes(path)),
    ).toEqual([]);
  });
});
