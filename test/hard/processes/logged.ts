import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';

interface Line {
  level: string;
  context?: string;
  msg?: string;
  requestId?: string;
  route?: string;
  path?: string;
  status?: number;
  duration?: number;
  errorCode?: string;
}

export const PASSWORDS = ['Tr0ub4dor-space-corgi', 'second-P4ss-in-orbit', 'wr0ng-Pass-guess'] as const;
export const FORGED = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJmb3JnZWQtYnktbWUifQ.Zm9yZ2VkLXNpZ25hdHVyZQ';

export async function startProduction(env: Record<string, string>): Promise<ServerProcess> {
  const folder = makeFolder();
  writeFileSync(join(folder, 'keys.json'), JSON.stringify(generateKeySet()), { mode: 0o600 });
  const production = {
    NODE_ENV: 'production',
    APP_URL: 'https://app.example',
    AUTH_KEYS_FILE: './keys.json',
    DATABASE_URL: ':memory:',
  };
  return start({ folder, env: { ...production, LOG_LEVEL: 'trace', ...env } });
}

export function linesOf(server: ServerProcess): Line[] {
  return server.output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** A client that keeps every secret that it has sent or got. */
export class Client {
  readonly secrets = new Set<string>([...PASSWORDS, FORGED]);

  constructor(private readonly server: ServerProcess) {}

  async send(method: string, path: string, headers: Record<string, string> = {}, body?: unknown) {
    const response = await fetch(this.server.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    for (const cookie of response.headers.getSetCookie()) this.keep(cookie.split(';')[0]?.split('=')[1]);
    const answer = (text === '' ? {} : JSON.parse(text)) as Partial<TokenPairDto>;
    this.keep(answer.access_token);
    this.keep(answer.refresh_token);
    return {
      status: response.status,
      headers: response.headers,
      cookies: response.headers.getSetCookie(),
      answer,
    };
  }

  /** The whole of it, and each part that is long enough to be told apart. */
  private keep(secret: string | undefined): void {
    if (!secret) return;
    for (const part of [secret, ...secret.split('.').slice(1)]) if (part.length >= 16) this.secrets.add(part);
  }
}
