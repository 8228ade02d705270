import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The fenced blocks of a language. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, code]) => code ?? '',
  );
}

/** The cells of every table row below a heading; without the heads. */
export function rowsOf(text: string, heading?: string): string[][] {
  const section =
    heading === undefined
      ? text
      : (text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '');
  const lines = section.split('\n');
  return lines
    .filter(
      (line, i) =>
        line.startsWith('|') && !/^\|[ |:-]+\|$/.test(line) && !/^\|[ |:-]+\|$/.test(lines[i + 1] ?? ''),
    )
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** What stands in code quotes. */
export function quotesIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, quote]) => quote ?? '');
}

/** Examples as files as deep as a feature's, outside of src, for as long as `use` runs. */
export async function withExamples(
  name: string,
  examples: string[],
  use: (files: string[]) => Promise<void>,
): Promise<void> {
  const folder = join(ROOT, 'test', `${name}-examples`);
  mkdirSync(join(folder, 'example'), { recursive: true });
  try {
    const files = examples.map((code, i) => {
      const file = join(folder, 'example', `example-${i}.ts`);
      writeFileSync(
        file,
        code.replace(
          /'\.\.\/\.\.\/(accounts|auth|database|graphql|mail|microservices|testing|websockets)\//g,
          "'../../../src/$1/",
        ),
      );
      return file;
    });
    await use(files);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
