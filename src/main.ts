import { StopSignals } from './app.signals.js';

// Before anything else is loaded: a process with id 1, as in a container, ignores signals that it does not handle.
const signals = new StopSignals();

try {
  const { startServer } = await import('./app.start.js');
  signals.onStop(await startServer());
} catch (thrown) {
  const { explainFailedStart } = await import('./app.module.js');
  process.stderr.write(explainFailedStart(thrown));
  // Open handles (a pool, the listener of a half-started server) would keep the process alive.
  process.exit(1);
}
