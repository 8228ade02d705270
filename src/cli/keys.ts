import { readEnvironment } from '../config/environment.js';
import { runKeys } from './run-keys.js';

const { code, stdout, stderr } = runKeys(process.argv.slice(2), readEnvironment);
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = code;
