import { type AccountSummary } from '../auth/index.js';

const HEAD = ['ID', 'USERNAME', 'ROLES', 'DISABLED', 'CREATED'];

/** Formats one line per row, with columns as wide as their widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = rows[0]?.map((_, column) => width(column)) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function formatAccounts(accounts: AccountSummary[]): string {
  const time = (milliseconds: number | null) =>
    milliseconds === null ? '-' : new Date(milliseconds).toISOString();
  const rows = accounts.map(({ id, username, roles, disabledAt, createdAt }) => [
    id,
    username,
    roles.join(',') || '-',
    time(disabledAt),
    time(createdAt),
  ]);
  return formatTable([HEAD, ...rows])
    .map((line) => `${line}\n`)
    .join('');
}
