import { Database } from '../../src/database/index.js';
import { Sessions } from '../../src/sessions/sessions.repository.js';
import { TokenIssuer } from '../../src/tokens/token-issuer.js';
import { type TestApp } from './create-test-app.js';

export interface OpenSession {
  id: string;
  access: string;
  refresh: string;
}

/** A session as a login leaves it, with its tokens, without the work that a password makes. */
export async function openSession(api: TestApp, userId: string): Promise<OpenSession> {
  const proof = { acr: 'pwd', amr: ['pwd'], at: api.clock.now() } as const;
  const device = { ip: '192.0.2.7', userAgent: 'opened by a test' };
  const sessions = api.get(Sessions);
  const session = await api.get(Database).inTransaction((tx) => sessions.open(tx, userId, device, proof));
  const issuer = api.get(TokenIssuer);
  const subject = { subject: userId, sessionId: session.id };
  const access = issuer.issueAccess({
    ...subject,
    fresh: true,
    proof,
    notAfter: session.expires_at,
  });
  const refresh = issuer.issueRefresh({
    ...subject,
    generation: session.generation,
    issuedAt: session.rotated_at,
    expiresAt: session.idle_expires_at,
  });
  return { id: session.id, access: access.token, refresh: refresh.token };
}
