import { Injectable } from '@nestjs/common';
import { ApiError, AuditLog, Clock, createValidationPipe, UserStore } from '../../auth/index.js';
import { OPERATOR } from '../../auth/internals.js';
import { Database, type Tx } from '../../database/index.js';
import { NO_PASSWORD } from '../../passwords/stored-hash.js';
import { ImportedAccountDto } from './imported-account.dto.js';

/** A line of the file, counted from 1: its text, or why it cannot be read. */
export type ImportLine = { number: number } & ({ text: string } | { problem: string });

export interface ImportReport {
  imported: number;
  /** In the order of the file. The messages name members and bounds, and never show a hash. */
  refused: { line: number; problem: string }[];
}

interface Row {
  line: number;
  account: ImportedAccountDto;
}

/** Each transaction waits for the disk once. */
const ROWS_PER_TRANSACTION = 200;

/** Imports the accounts of another system, with their password hashes. */
@Injectable()
export class AccountImport {
  private readonly validation = createValidationPipe();

  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Imports JSON lines. A line that is wrong, or whose name or id is taken, is refused, and the others are imported. A
   * second run with the same file refuses what the first one imported.
   */
  async run(lines: AsyncIterable<ImportLine>): Promise<ImportReport> {
    const report: ImportReport = { imported: 0, refused: [] };
    let rows: Row[] = [];
    const store = async () => {
      const refused = await this.store(rows);
      report.imported += rows.length - refused.length;
      report.refused.push(...refused);
      rows = [];
    };
    for await (const line of lines) {
      const read = 'problem' in line ? line.problem : await this.read(line.text);
      if (typeof read === 'string') report.refused.push({ line: line.number, problem: read });
      else if (rows.push({ line: line.number, account: read }) === ROWS_PER_TRANSACTION) await store();
    }
    await store();
    report.refused.sort((a, b) => a.line - b.line);
    return report;
  }

  /** @returns the account, or what is wrong with the line */
  private async read(text: string): Promise<ImportedAccountDto | string> {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      // The parser's message would show part of the line.
      return 'is not JSON';
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return 'is not a JSON object';
    try {
      const metadata = { type: 'body', metatype: ImportedAccountDto } as const;
      const account = (await this.validation.transform(json, metadata)) as ImportedAccountDto;
      return this.problemOf(account) ?? account;
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
  }

  private problemOf(account: ImportedAccountDto): string | undefined {
    const { username, email, email_verified: isProved } = account;
    if (!username && !(email && isProved))
      return 'username is missing, and there is no proved email to log in with';
    if (isProved && !email) return 'email is missing, and email_verified is true';
    if (this.createdAt(account) > this.clock.now()) return 'created_at is in the future';
    return undefined;
  }

  private async store(rows: readonly Row[]): Promise<ImportReport['refused']> {
    if (rows.length === 0) return [];
    return this.db.inTransaction(async (tx) => {
      const refused: ImportReport['refused'] = [];
      for (const { line, account } of rows) {
        const problem = await this.create(tx, account);
        if (problem !== undefined) refused.push({ line, problem });
      }
      return refused;
    });
  }

  /** @returns why the account was not created */
  private async create(tx: Tx, account: ImportedAccountDto): Promise<string | undefined> {
    const { id, email, password_hash: hash } = account;
    const roles = [...new Set(account.roles)];
    const username = account.username ?? email ?? '';
    const proved = account.email_verified ? email : undefined;
    const user = await this.users.create(tx, {
      ...(id ? { id } : {}),
      ...(proved ? { email: proved } : { pendingEmail: email ?? null }),
      username,
      passwordHash: hash ?? NO_PASSWORD,
      roles,
      createdAt: this.createdAt(account),
    });
    if (!user) {
      if (id && (await this.users.findById(id, tx))) return `the id ${id} is taken`;
      return `${[...new Set([username, proved])].filter(Boolean).join(' or ')} is taken`;
    }
    if (id && user.id !== id) throw new Error('the UserStore does not keep the id of an imported account');
    const cause = roles.length > 0 ? `imported, roles ${roles.join(' ')}` : 'imported';
    const event = { event: 'user_created', at: this.clock.now(), cause, subjectId: user.id } as const;
    await this.audit.record(event, OPERATOR.caller, tx);
    return undefined;
  }

  /** Milliseconds. */
  private createdAt({ created_at: text }: ImportedAccountDto): number {
    return text ? Date.parse(text) : this.clock.now();
  }
}
