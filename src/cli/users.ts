import { runUsers } from './run-users.js';

const { code, stdout, stderr } = await runUsers(process.argv.slice(2), process.stdin);
process.stdout.write(stdout);
process.stderr.write(stderr);
// As in main.ts: a failure may leave handles open, which would keep the process alive.
if (code !== 0) process.exit(code);
