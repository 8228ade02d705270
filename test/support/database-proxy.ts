import { connect, createServer, type Server, type Socket } from 'node:net';
import { type TestDatabase } from './engines.js';

type Kind = 'listener' | 'pool';
/** `silent`: connections stay, and nothing passes through them. */
type Fault = 'none' | 'refused' | 'silent';

interface Passage {
  kind: Kind;
  client: Socket;
  server: Socket;
  silent: boolean;
}

/**
 * The network between an application and PostgreSQL. Tells the connection that LISTENs from those of the pool by
 * the name that each gives when it connects.
 */
export class DatabaseProxy {
  /** Bytes that the pool's connections have sent to the database, without heartbeats. */
  poolBytes = 0;
  private readonly faults: Record<Kind, Fault> = { listener: 'none', pool: 'none' };
  private readonly passages = new Set<Passage>();

  private constructor(
    private readonly server: Server,
    private target: URL,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async start(database: TestDatabase): Promise<DatabaseProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return new DatabaseProxy(server, new URL(database.url));
  }

  /** The same database, by way of here. */
  get database(): TestDatabase {
    const url = new URL(this.target);
    const address = this.server.address();
    url.port = String(typeof address === 'object' && address ? address.port : 0);
    return { url: url.href, drop: async () => {} };
  }

  /** Connections break, and new ones are refused. */
  cut(...kinds: Kind[]): void {
    for (const kind of kinds) this.faults[kind] = 'refused';
    for (const passage of this.passages) {
      if (kinds.includes(passage.kind)) passage.client.destroy();
    }
  }

  /** The name leads to another server from now on, as after a failover; connections to the one before break. */
  redirect(database: TestDatabase): void {
    this.target = new URL(database.url);
    for (const { client } of this.passages) client.destroy();
  }

  /** Connections break with a TCP reset, as when a host has restarted; new ones work. */
  reset(kind: Kind): void {
    for (const passage of this.passages) {
      if (passage.kind === kind) passage.client.resetAndDestroy();
    }
  }

  /** How many connections there are. */
  open(kind: Kind): number {
    return [...this.passages].filter((passage) => passage.kind === kind).length;
  }

  /** Connections stay and carry nothing any more, new ones too. */
  silence(...kinds: Kind[]): void {
    for (const kind of kinds) this.faults[kind] = 'silent';
    for (const passage of this.passages) {
      if (kinds.includes(passage.kind)) passage.silent = true;
    }
  }

  /** New connections work. Silent ones stay silent, because the other end does not learn that the path is gone. */
  heal(): void {
    this.faults.listener = 'none';
    this.faults.pool = 'none';
  }

  async stop(): Promise<void> {
    for (const { client } of this.passages) client.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private accept(client: Socket): void {
    client.on('error', () => {});
    client.once('data', (startup) => {
      const kind: Kind = startup.includes('freshgate-listener') ? 'listener' : 'pool';
      if (this.faults[kind] === 'refused') client.destroy();
      else this.pass(kind, client, startup);
    });
  }

  private pass(kind: Kind, client: Socket, startup: Buffer): void {
    const server = connect(Number(this.target.port), this.target.hostname);
    const passage: Passage = { kind, client, server, silent: this.faults[kind] === 'silent' };
    this.passages.add(passage);
    const forward = (data: Buffer) => {
      if (passage.silent) return;
      if (kind === 'pool' && !data.includes('freshgate_heartbeat')) this.poolBytes += data.length;
      server.write(data);
    };
    forward(startup);
    client.on('data', forward);
    server.on('data', (data) => {
      if (!passage.silent) client.write(data);
    });
    server.on('error', () => {});
    server.on('close', () => {
      if (!passage.silent) client.destroy();
    });
    client.on('close', () => {
      this.passages.delete(passage);
      server.destroy();
    });
  }
}
