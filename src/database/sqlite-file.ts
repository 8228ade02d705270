import { statSync } from 'node:fs';

/** The path of an open database leads to another file, or to none: what is written would be gone with the process. */
export class DatabaseFileMovedError extends Error {
  override readonly name = 'DatabaseFileMovedError';
  /** SQLite's own code for it, which it reports in some cases only. */
  readonly code = 'SQLITE_READONLY_DBMOVED';

  constructor(path: string) {
    super(
      `${path} was deleted or replaced while it was open; stop the server, put the file back, and start again`,
    );
  }
}

/** Tells whether the file that was opened is still the one at its path. */
export class SqliteFile {
  private readonly opened: string;

  constructor(private readonly path: string) {
    this.opened = this.identity();
  }

  /** Costs a few microseconds. @throws DatabaseFileMovedError */
  check(): void {
    if (this.identity() !== this.opened) throw new DatabaseFileMovedError(this.path);
  }

  private identity(): string {
    const found = statSync(this.path, { throwIfNoEntry: false });
    return found ? `${found.dev}:${found.ino}` : '';
  }
}
