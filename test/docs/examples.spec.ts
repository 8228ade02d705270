import { expect, it } from '@jest/globals';
import ts from 'typescript';
import { join } from 'node:path';
import { blocksOf, readDocument, ROOT, withExamples } from './documents.js';

/** Milliseconds: the compiler reads the types of everything that the examples import. */
const LONG = 120_000;

/** Documents whose examples are whole, and how many each has: one that is lost must not pass unseen. */
const DOCUMENTS = {
  'README.md': 1,
  'docs/options.md': 4,
  'docs/errors.md': 1,
  'docs/factors.md': 1,
  'docs/extending.md': 2,
  'docs/accounts.md': 2,
  'docs/mail.md': 2,
  'docs/tokens.md': 3,
  'docs/transports.md': 7,
  'docs/coming-from-flask-jwt-extended.md': 1,
};

/** All in one program: most of the time goes into types that they have in common. */
it(
  'every example compiles, and a wrong one does not',
  async () => {
    const examples = Object.entries(DOCUMENTS).flatMap(([path, count]) => {
      // Blocks that begin with the name of a file are compiled by the tests that write these files.
      const blocks = blocksOf(readDocument(path), 'ts').filter((code) => !code.startsWith('// '));
      expect([path, blocks.length]).toEqual([path, count]);
      return blocks;
    });
    const wrong = "import { FreshAccess } from '../../auth/index.js';\nFreshAccess({ maxAge: 5 });\n";
    await withExamples('all', [...examples, wrong], async (files) => {
      const complaints = compile(files);
      expect(complaints.slice(0, -1)).toEqual(examples.map(() => []));
      expect(complaints.at(-1)).toEqual([expect.stringContaining('not assignable')]);
    });
  },
  LONG,
);

/** The compiler's errors in each file, with the project's own settings. `npm run check` finds those of imported files. */
function compile(files: string[]): string[][] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram(files, { ...options, noEmit: true });
  return files.map((file) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}
