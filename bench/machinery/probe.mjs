/** Loaded into every server by `--import`: tells its parent, over IPC, what the process has cost so far. */

process.on('message', (question) => {
  if (question === 'cost') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system, ...memory() });
  }
});
// Servers end when they are told to, not when their parent hangs up; but never outlive it.
process.on('disconnect', () => process.exit());
process.channel?.unref();

function memory() {
  // Only with `--expose-gc`: what is left then is what is held.
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}
