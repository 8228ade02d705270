import { setTimeout as delay } from 'node:timers/promises';
import { type CompiledQuery } from 'kysely';
import { columnTypes } from './column-types.js';

/** Milliseconds: between two signs of life, and between two tries to connect. */
const BEAT = 1_000;
/** Milliseconds after which an answer that has not come is taken for a dead connection. */
const PATIENCE = 2_000;

export type ReadRows = <R>(query: CompiledQuery<R>) => Promise<R[]>;

export interface ListenerHandlers {
  /**
   * LISTEN has taken effect: whatever was committed before can be read now, and what comes later will be told.
   * `read` asks on the listening connection itself, which has just shown that it works; of the pool's none may.
   */
  onListening(read: ReadRows): Promise<void>;
  onNotification(payload: string): void;
  /** The connection has just answered, so every notification committed before has arrived. */
  onAlive(): void;
  onLost(error: Error): void;
}

/** One connection of its own that LISTENs on a channel, comes back by itself, and notices a silent death. */
export class Listener {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly url: string,
    private readonly channel: string,
    private readonly handlers: ListenerHandlers,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.listen(signal);
      } catch (error) {
        if (!signal.aborted) this.handlers.onLost(error as Error);
      }
      await delay(BEAT, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns when stopped. @throws when the connection is lost */
  private async listen(signal: AbortSignal): Promise<void> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'freshgate-listener',
      connectionTimeoutMillis: PATIENCE,
      query_timeout: PATIENCE,
      types: columnTypes(pg),
    });
    const lost = new Promise<never>((_, reject) => {
      // Every one of them: an error that nobody hears ends the process.
      client.on('error', reject);
      client.once('end', () => reject(new Error('the server closed the connection')));
    });
    lost.catch(() => {});
    try {
      await client.connect();
      client.on('notification', ({ payload }) => this.handlers.onNotification(payload ?? ''));
      await client.query(`listen ${this.channel}`);
      await this.handlers.onListening(async <R>({ sql, parameters }: CompiledQuery<R>) => {
        const { rows } = await client.query({ text: sql, values: [...parameters] });
        return rows as R[];
      });
      while (!signal.aborted) {
        await client.query('select 1');
        this.handlers.onAlive();
        await Promise.race([delay(BEAT, undefined, { signal }).catch(() => {}), lost]);
      }
    } finally {
      // A connection that died silently would not answer a goodbye either.
      void client.end().catch(() => {});
    }
  }
}
