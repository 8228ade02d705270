import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/*
 * Loaded into a server with `--import`. On SIGWINCH, which Nest does not shut down for, it collects garbage and writes one
 * line: bytes in use, and microseconds of CPU before and after the collection.
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

process.on('SIGWINCH', () => {
  const before = cpu();
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  process.stderr.write(`PROBE ${heapUsed + external} ${before} ${cpu()}\n`);
});
