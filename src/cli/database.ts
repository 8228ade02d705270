import { runDatabase } from './run-database.js';

const { code, stdout, stderr } = await runDatabase(process.argv.slice(2));
process.stdout.write(stdout);
process.stderr.write(stderr);
// As in main.ts: a failure may leave handles open, which would keep the process alive.
if (code !== 0) process.exit(code);
