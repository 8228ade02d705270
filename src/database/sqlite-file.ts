import { statSync } from 'node:fs';

/** The path of an open database no longer leads to its file: changes would be lost when the process ends. */
export class DatabaseFileMovedError extends Error {
  override readonly name = 'DatabaseFileMovedError';
  /** The code that SQLite itself reports in some of these cases. */
  readonly code = 'SQLITE_READONLY_DBMOVED';

  constructor(path: string) {
    super(
      `${path} was deleted or replaced while it was open; stop the server, put the file back, and start again`,
    );
  }
}

/** Checks whether the path still leads to the file that was opened. */
export class SqliteFile {
  private readonly opened: string;

  constructor(private readonly path: string) {
    this.opened = this.identity();
  }

  /** Takes a few microseconds. @throws DatabaseFileMovedError */
  check(): void {
    if (this.identity() !== this.opened) throw new DatabaseFileMovedError(this.path);
  }

  private identity(): string {
    const found = statSync(this.path, { throwIfNoEntry: false });
    return found ? `${found.dev}:${found.ino}` : '';
  }
}
