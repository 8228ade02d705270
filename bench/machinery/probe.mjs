/** Loaded into every server by `--import`: reports the CPU time and memory of the process to its parent, over IPC. */

process.on('message', (question) => {
  if (question === 'cost') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system, ...memory() });
  }
});
// Servers end on request, not when the channel closes; but they never outlive their parent.
process.on('disconnect', () => process.exit());
process.channel?.unref();

function memory() {
  // Only with `--expose-gc`: measures memory after a collection.
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}
