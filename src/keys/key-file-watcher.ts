import {
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { readFile, stat } from 'node:fs/promises';
import { type Clock } from '../time/clock.js';
import { type KeySource, naming, openKeyFile, parseKeyFile } from './key-file.js';
import { type KeyRing } from './key-ring.js';

const PERIOD_MS = 2_000;

/**
 * Loads the keys at the start and when the file has changed. It polls, because a Kubernetes secret is a link that is
 * replaced, which a watch on the file does not notice. If the file is invalid, the loaded keys stay and it is tried again
 * with each poll: a file that is still being copied becomes valid, and so does a `signs_from` from a clock that is ahead.
 */
export class KeyFileWatcher implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Keys');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** The state of the file that was loaded last. */
  private loaded = '';
  /** The last error that was logged, so that each is logged once. */
  private logged = '';

  constructor(
    private readonly source: KeySource,
    private readonly ring: KeyRing,
    private readonly clock: Clock,
  ) {}

  /** @throws KeyRingError, which stops the start */
  onModuleInit(): void {
    const { source, ring } = this;
    if (!('file' in source)) return ring.replace(source, this.clock.now());
    const set = openKeyFile(source.file, source);
    naming(source.file, () => ring.replace(set, this.clock.now()));
  }

  onApplicationBootstrap(): void {
    const { source } = this;
    if (!('file' in source)) return;
    this.timer = setInterval(() => {
      this.running ??= this.look(source.file).finally(() => {
        this.running = undefined;
      });
    }, PERIOD_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Reads the file if it has changed. Never throws. */
  async look(path: string): Promise<void> {
    let looks = 'none';
    try {
      // Read before the content, so that the next poll notices a change in between.
      const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      looks = [ino, size, mtimeNs, ctimeNs].join(' ');
      if (looks === this.loaded) {
        this.logged = '';
        return;
      }
      const set = parseKeyFile(path, await readFile(path, 'utf8'));
      const before = this.ring.kids();
      naming(path, () => this.ring.replace(set, this.clock.now()));
      this.tell(before, this.ring.kids(), this.loaded === '');
      this.loaded = looks;
      this.logged = '';
    } catch (error) {
      const complaint = `${looks} ${(error as Error).message}`;
      if (complaint === this.logged) return;
      this.logged = complaint;
      this.logger.error(`keys not reloaded, the loaded ones stay: ${(error as Error).message}`);
    }
  }

  /** Logs the names of the keys, except at the first poll, which finds those that the start has loaded. */
  private tell(before: string[], after: string[], first: boolean): void {
    const added = after.filter((kid) => !before.includes(kid));
    const removed = before.filter((kid) => !after.includes(kid));
    if (first && added.length + removed.length === 0) return;
    const parts = [
      ...(added.length > 0 ? [`added ${added.join(', ')}`] : []),
      ...(removed.length > 0 ? [`removed ${removed.join(', ')}`] : []),
    ];
    this.logger.log(`keys reloaded: ${parts.join('; ') || `unchanged, ${after.join(', ')}`}`);
  }
}
