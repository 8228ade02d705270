import { type AccountSummary } from '../auth/index.js';

const HEAD = ['ID', 'USERNAME', 'ROLES', 'DISABLED', 'CREATED'];

/** Columns as wide as their widest cell. */
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
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const lines = [HEAD, ...rows].map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}
