import { beforeAll, describe, expect, it } from '@jest/globals';
import { type ServerProcess } from '../../support/server-process.js';
import { Client, FORGED, linesOf, PASSWORDS, startProduction } from './logged.js';

const [PASSWORD, NEXT_PASSWORD, WRONG_PASSWORD] = PASSWORDS;

const bearer = (token: string | undefined) => ({ Authorization: `Bearer ${token}` });

describe('the log of a server that is used in every way', () => {
  let server: ServerProcess;
  let client: Client;
  let requestId: string | null;
  beforeAll(async () => {
    server = await startProduction({ TOKEN_LOCATIONS: 'header,query,body' });
    client = new Client(server);
    const account = { username: 'cosmo', password: PASSWORD };
    const register = await client.send('POST', '/auth/register', {}, account);
    expect(register.status).toBe(201);
    requestId = register.headers.get('x-request-id');
    await client.send('POST', '/auth/register', {}, { username: 'laika', password: PASSWORD });
    const { answer: first } = await client.send('POST', '/auth/login', {}, account);
    await client.send('POST', '/auth/login', {}, { username: 'cosmo', password: WRONG_PASSWORD });
    await client.send(
      'POST',
      '/auth/login',
      {},
      { username: WRONG_PASSWORD.toLowerCase(), password: PASSWORD },
    );
    const { answer: second } = await client.send('POST', '/auth/refresh', bearer(first.refresh_token));
    const refresh = bearer(second.refresh_token);
    await client.send('POST', '/auth/reauthenticate', refresh, { password: WRONG_PASSWORD });
    const { answer: third } = await client.send('POST', '/auth/reauthenticate', refresh, {
      password: PASSWORD,
    });
    const fresh = bearer(third.access_token);
    // example:begin
    const transfer = await client.send('POST', '/transfers', fresh, { to: 'laika', amount: 1 });
    expect(transfer.status).toBe(201);
    // example:end
    const change = { current_password: PASSWORD, new_password: NEXT_PASSWORD };
    await client.send('PUT', '/auth/password', fresh, { ...change, current_password: WRONG_PASSWORD });
    const changed = await client.send('PUT', '/auth/password', fresh, change);
    expect(changed.status).toBe(200);
    const access = changed.answer.access_token ?? '';
    // Wrong tokens, and right ones, in every place.
    for (const token of [FORGED, access, first.refresh_token ?? '', `${access}x`]) {
      await client.send('GET', '/profile', bearer(token));
      await client.send('GET', '/profile', { Authorization: `Basic ${token}` });
      await client.send('GET', '/profile', { Cookie: `access_token=${token}`, 'X-CSRF-Token': token });
      await client.send('GET', `/profile?access_token=${token}`);
      await client.send('GET', `/nope/${token}?access_token=${token}`);
      await client.send('POST', '/auth/refresh', {}, { refresh_token: token });
      // example:begin
      await client.send(
        'POST',
        '/transfers',
        { 'X-Device-Token': token },
        { access_token: token, to: 'laika' },
      );
      // example:end
      await client.send('GET', '/health/live', { 'X-Request-Id': token });
    }
    // Refused bodies, which a refusal may quote.
    for (const body of [
      `{"username":"cosmo","password":"${PASSWORD}"`,
      `"${PASSWORD}"`,
      PASSWORD,
      `{"username":"cosmo","password":["${PASSWORD}"]}`,
      `{"password":"${PASSWORD}","password":"${PASSWORD}"}`,
    ]) {
      await client.send('POST', '/auth/login', {}, body);
    }
    await client.send('POST', '/auth/refresh', bearer(first.refresh_token));
    await server.stop();
  });

  it('holds no password and no token that was sent or given', () => {
    expect(client.secrets.size).toBeGreaterThan(15);
    expect([...client.secrets].filter((secret) => server.output.includes(secret))).toEqual([]);
    expect(server.output).not.toMatch(/eyJ/);
    expect(server.errors).toBe('');
  });

  it('has one line for each request, with the id of the answer, the route and no query', () => {
    const line = linesOf(server).find(
      ({ context, route }) => context === 'Http' && route === '/auth/register',
    );
    expect(line).toMatchObject({ level: 'info', status: 201, requestId, duration: expect.any(Number) });
    const unknown = linesOf(server).filter(({ path }) => path?.startsWith('/nope'));
    expect(unknown).toHaveLength(4);
    expect(unknown[0]).toMatchObject({ status: 404, errorCode: 'not_found', path: '/nope/[redacted]' });
    expect(server.output).not.toMatch(/\?(?!\[redacted\])\w+=/);
  });

  it('has the id on every line that a request causes', () => {
    const audit = linesOf(server).filter(({ context }) => context === 'Audit' || context === 'Errors');
    expect(audit.length).toBeGreaterThan(20);
    expect(audit.filter((line) => !/^[\w.-]{1,64}$/.test(line.requestId ?? ''))).toEqual([]);
    expect(audit.find(({ msg }) => msg?.startsWith('user_created'))).toMatchObject({ requestId });
  });

  it('logs probes at debug only', () => {
    const levels = linesOf(server)
      .filter(({ route }) => route === '/health/live')
      .map(({ level }) => level);
    expect([...new Set(levels)]).toEqual(['debug']);
  });
});
