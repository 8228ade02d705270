import Libsql from 'libsql';
import AsyncLibsql from 'libsql/promise';

/** libsql's connection, with what both of its interfaces can do: they are two sets of methods for one native handle. */
export class EmbeddedHandle extends Libsql {
  /**
   * COMMIT, on a thread of libsql's: it waits for the disk, and for a checkpoint now and then, and no request is to wait
   * with it. Until it is done the connection is not to be used, or the main thread waits for its lock after all.
   */
  async commit(): Promise<void> {
    await (AsyncLibsql.prototype.exec.call(this, 'commit') as Promise<void>);
  }
}
