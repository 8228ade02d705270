import { Injectable } from '@nestjs/common';
import { Database, Purge, type Tx } from '../database/index.js';
import { RevokedSessions } from './revoked-sessions.js';
import { SessionRevoker } from './session-revoker.js';
import { SessionOptions } from './session-options.js';

/** Forgets what is over: dead sessions, and old tombstones in memory. */
@Injectable()
export class SessionPurge extends Purge {
  constructor(
    db: Database,
    private readonly ends: SessionRevoker,
    private readonly ended: RevokedSessions,
    private readonly options: SessionOptions,
  ) {
    super(db, 'dead sessions');
  }

  override async run(): Promise<number> {
    this.ended.prune(this.options.now());
    return super.run();
  }

  protected async removeBatch(tx: Tx, most: number): Promise<number> {
    return this.ends.purge(tx, most, this.options.now());
  }
}
