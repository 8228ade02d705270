import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DiscoveryService } from '@nestjs/core';
import { MESSAGE_METADATA } from '@nestjs/websockets/constants.js';
import { handlersOf, type RoutePolicy, routePolicyOf, TokenWatch } from '../../src/auth/internals.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { DeclaredGateway } from '../support/declared.gateway.js';
import {
  gatewaysModule,
  type Handshake,
  IoClient,
  LIBRARIES,
  TestSocket,
  WsClient,
} from '../support/sockets.js';
import { type ShownToken, showToken, TOKEN_KINDS } from '../support/token-kinds.js';
import { until } from '../support/until.js';

class TeamModule {}
const team = { module: TeamModule, providers: [DeclaredGateway] };

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

describe.each(LIBRARIES)('gateways of %s', (library) => {
  let api: TestApp;
  const open: TestSocket[] = [];
  beforeAll(async () => {
    api = await createTestApp({ imports: [team, gatewaysModule(library)] });
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.close();
    await until(1_000, async () => api.get(TokenWatch).size === 0);
  });
  afterAll(() => api.close());

  const connect = async (handshake?: Handshake) => {
    const socket = await TestSocket.connect(library, api, handshake);
    open.push(socket);
    return socket;
  };
  const connectWith = async (login: TestLogin) => connect(bearer(login.access));

  describe('every kind of token × every declaration', () => {
    /** What contract §4 and §5 demand of a token that a connection has; null: the message is handled. */
    const expected = ({ policy, roles }: RoutePolicy, shown: ShownToken): string | null => {
      const { level } = policy;
      if (level === 'public') return null;
      if (shown === 'none') return level === 'optional-access' ? null : 'token_missing';
      if (level === 'fresh-access' && shown === 'stale access') return 'fresh_token_required';
      if ('acr' in policy) return 'fresh_token_required';
      return roles.length > 0 ? 'insufficient_role' : null;
    };
    const OF_CONNECTION: Partial<Record<ShownToken, string>> = {
      garbage: 'token_invalid',
      'wrong issuer': 'token_invalid',
      'wrong audience': 'token_invalid',
      'wrong key': 'token_invalid',
      'wrong typ': 'token_invalid',
      'expired access': 'token_expired',
      'expired refresh': 'token_expired',
      refresh: 'token_wrong_type',
      'revoked access': 'token_revoked',
      'revoked refresh': 'token_wrong_type',
    };
    const declarations = () =>
      handlersOf(api.get(DiscoveryService))
        .filter(({ kind, metatype }) => kind === 'gateway' && metatype === DeclaredGateway)
        .map(({ prototype, member }) => ({
          event: Reflect.getMetadata(
            MESSAGE_METADATA,
            (prototype as Record<string, object>)[member] as object,
          ) as string,
          declared: routePolicyOf(prototype, member),
        }))
        .filter(({ event }) => !['token', 'echo', 'fail', 'ack', 'header only'].includes(event));

    it.each(TOKEN_KINDS)('%s', async (shown) => {
      const token = await showToken(api, shown, 'access');
      const atHandshake = await connect(token === undefined ? {} : bearer(token));
      const later = await connect();
      const refusal = OF_CONNECTION[shown];
      if (refusal !== undefined && token !== undefined) {
        expect(await atHandshake.end()).toEqual({ code: 4401, reason: refusal });
        const answer = await later.authenticate(token);
        expect(answer).toMatchObject({
          event: 'exception',
          data: {
            status: 'error',
            statusCode: 401,
            errorCode: refusal,
            challenge: { error: 'invalid_token' },
          },
        });
        expect(await later.refusal('access')).toMatchObject({ errorCode: 'token_missing' });
        return;
      }
      if (token !== undefined)
        expect(await later.authenticate(token)).toEqual({
          event: 'authenticated',
          data: { expires_in: 900 },
        });
      expect(declarations().length).toBeGreaterThan(9);
      for (const { event, declared } of declarations()) {
        for (const socket of [atHandshake, later]) {
          // The other one has used the token up.
          if (event === 'once' && socket === later) continue;
          const { event: answer, data } = await socket.ask(event);
          const outcome = answer === 'exception' ? (data as { errorCode: string }).errorCode : null;
          expect([event, outcome]).toEqual([event, expected(declared, shown)]);
        }
      }
      expect([atHandshake.ended, later.ended]).toEqual([undefined, undefined]);
    });
  });

  describe('the token', () => {
    it('comes to the handler, with its user and where it was', async () => {
      const login = await api.login();
      const socket = await connectWith(login);
      expect(await socket.ask('access')).toEqual({ event: 'answer', data: login.user.id });
      const jti = expect.any(String);
      expect((await socket.ask('token')).data).toEqual({ jti, location: 'header' });
      expect((await socket.ask('header only')).data).toBe(login.user.id);
    });

    it('may come in a message, and the messages after it wait for its check', async () => {
      const login = await api.login();
      const socket = await connect();
      socket.send('authenticate', { token: login.access });
      socket.send('access');
      await until(2_000, async () => socket.told.length === 2);
      expect(socket.told.map(({ event }) => event).toSorted()).toEqual(['answer', 'authenticated']);
      expect((await socket.ask('token')).data).toMatchObject({ location: 'body' });
      expect(await socket.refusal('header only')).toMatchObject({ errorCode: 'token_missing' });
    });

    it.each([
      [undefined, 'token_missing'],
      [{}, 'token_missing'],
      [{ token: 5 }, 'token_invalid'],
      [{ token: ['a'] }, 'token_invalid'],
      ['text', 'token_missing'],
      [null, 'token_missing'],
    ])('is refused in the message %j', async (message, errorCode) => {
      const socket = await connect();
      expect(await socket.refusal('authenticate', message)).toMatchObject({ errorCode });
    });

    it('must come within 10 seconds', async () => {
      const anonymous = await connect();
      const refused = await connect();
      await refused.authenticate('not.a.token');
      const login = await api.login();
      const known = await connectWith(login);
      const later = await connect();
      api.clock.advance('9s');
      await later.authenticate(login.access);
      expect((await anonymous.ask('public')).data).toBeNull();
      api.clock.advance('1s');
      for (const socket of [anonymous, refused])
        expect(await socket.end()).toEqual({ code: 4401, reason: 'token_missing' });
      for (const socket of [known, later]) expect((await socket.ask('access')).data).toBe(login.user.id);
    });

    it('is renewed within the connection', async () => {
      const login = await api.login();
      const socket = await connectWith(login);
      api.clock.advance('10m');
      await login.rotate();
      expect(await socket.authenticate(login.access)).toEqual({
        event: 'authenticated',
        data: { expires_in: 900 },
      });
      api.clock.advance('10m');
      expect((await socket.ask('access')).data).toBe(login.user.id);
      expect(await socket.refusal('fresh')).toMatchObject({
        errorCode: 'fresh_token_required',
        challenge: { error: 'insufficient_user_authentication', max_age: 900 },
      });
      await login.reauthenticate();
      await socket.authenticate(login.access);
      expect((await socket.ask('fresh')).data).toBe(login.user.id);
      api.clock.advance('15m');
      expect(await socket.end()).toEqual({ code: 4401, reason: 'token_expired' });
    });

    it('may be of another session of the user, but not of another user', async () => {
      const login = await api.login();
      const socket = await connectWith(login);
      const stranger = await api.login();
      expect(await socket.authenticate(stranger.access)).toMatchObject({
        event: 'exception',
        data: { errorCode: 'token_invalid' },
      });
      expect((await socket.ask('access')).data).toBe(login.user.id);
      const other = await login.user.login();
      expect((await socket.authenticate(other.access)).event).toBe('authenticated');
      await api.request('POST', '/auth/logout', login.access).expect(204);
      expect((await socket.ask('access')).data).toBe(login.user.id);
      await api.request('POST', '/auth/logout', other.access).expect(204);
      expect(await socket.end()).toEqual({ code: 4401, reason: 'token_revoked' });
    });

    it('that is refused leaves the connection as it was', async () => {
      const login = await api.login();
      const socket = await connectWith(login);
      expect((await socket.authenticate('not.a.token')).event).toBe('exception');
      expect((await socket.ask('access')).data).toBe(login.user.id);
    });
  });

  describe('the connection is closed with 4401 and the reason', () => {
    it.each<[string, (login: TestLogin) => Promise<unknown>]>([
      ['a logout', async ({ refresh }) => api.request('POST', '/auth/logout', refresh).expect(204)],
      [
        'a logout everywhere',
        async ({ access }) => api.request('POST', '/auth/logout-all', access).expect(204),
      ],
      [
        'a new password',
        async ({ access, user: { password } }) =>
          api
            .request('PUT', '/auth/password', access)
            .send({ current_password: password, new_password: 'space-corgi-2' })
            .expect(200),
      ],
      [
        'a disabled account',
        async ({ user: { id } }) =>
          (await api.as('admin').role('admin').fresh())
            .patch(`/admin/users/${id}`)
            .send({ disabled: true })
            .expect(200),
      ],
      ['a deleted account', async ({ access }) => api.request('DELETE', '/profile', access).expect(204)],
      [
        'a refresh token that was used twice',
        async (login) => {
          const first = login.refresh;
          await login.rotate();
          await login.rotate();
          await login.tryRefresh(first).expect(401);
        },
      ],
    ])('after %s', async (_title, act) => {
      const login = await api.login();
      const sockets = [await connectWith(login), await connectWith(login)];
      const stranger = await connectWith(await api.login());
      await act(login);
      for (const socket of sockets)
        expect(await socket.end()).toEqual({ code: 4401, reason: 'token_revoked' });
      expect((await stranger.ask('access')).event).toBe('answer');
    });

    it('when the token expires', async () => {
      const socket = await connectWith(await api.login());
      api.clock.advance('14m 59s');
      expect((await socket.ask('access')).event).toBe('answer');
      api.clock.advance('1s');
      expect(await socket.end()).toEqual({ code: 4401, reason: 'token_expired' });
    });
  });

  describe('a refused message', () => {
    it('is told why, and the connection stays open', async () => {
      const login = await api.login();
      await login.rotate();
      const socket = await connectWith(login);
      expect(await socket.refusal('five minutes')).toEqual({
        status: 'error',
        statusCode: 401,
        error: 'Unauthorized',
        errorCode: 'fresh_token_required',
        message: 'Fresh token required',
        challenge: {
          error: 'insufficient_user_authentication',
          error_description: 'Fresh token required',
          max_age: 300,
        },
        cause: { pattern: 'five minutes' },
      });
      expect(await socket.refusal('access mfa')).toMatchObject({ challenge: { acr_values: 'mfa' } });
      expect(await socket.refusal('admin')).toMatchObject({
        statusCode: 403,
        errorCode: 'insufficient_role',
        challenge: { error: 'insufficient_scope' },
      });
      expect((await socket.ask('access')).event).toBe('answer');
    });

    it('has no challenge where none is needed', async () => {
      const socket = await connect();
      expect(await socket.refusal('access')).toEqual({
        status: 'error',
        statusCode: 401,
        error: 'Unauthorized',
        errorCode: 'token_missing',
        message: 'Missing bearer token',
        cause: { pattern: 'access' },
      });
    });

    it.each([
      ['api', { statusCode: 404, errorCode: 'not_found', message: 'There is no such thing' }],
      ['nest', { statusCode: 400, errorCode: 'validation_failed', message: 'Wrong' }],
      ['unknown', { statusCode: 500, errorCode: 'internal_error', message: 'Internal server error' }],
    ])('has the format of errors over HTTP (%s)', async (kind, members) => {
      const socket = await connectWith(await api.login());
      const refusal = await socket.refusal('fail', kind);
      expect(refusal).toMatchObject({ status: 'error', ...members });
      expect(JSON.stringify(refusal)).not.toContain('secret');
    });
  });

  it('opens with roles what needs them', async () => {
    const admin = await api.as('root').role('admin').fresh();
    const socket = await connect(bearer(admin.token));
    for (const event of ['admin', 'fresh admin']) expect((await socket.ask(event)).data).toBe(admin.user.id);
  });

  it('uses a once token up with one of 50 parallel messages', async () => {
    const login = await api.login();
    const sockets = await Promise.all([1, 2].map(async () => connectWith(login)));
    for (let i = 0; i < 25; i++) for (const socket of sockets) socket.send('once');
    await until(5_000, async () => sockets.every(({ told }) => told.length === 25));
    const told = sockets.flatMap((socket) => socket.told);
    expect(told.filter(({ event }) => event === 'answer')).toHaveLength(1);
    expect(told.filter(({ event }) => event === 'exception')[0]?.data).toMatchObject({
      errorCode: 'fresh_token_required',
    });
  });

  it('gives a once token back for a refusal of the handler', async () => {
    const socket = await connectWith(await api.login());
    expect(await socket.refusal('once', { status: 409 })).toMatchObject({ errorCode: 'username_taken' });
    expect((await socket.ask('once')).event).toBe('answer');
    expect(await socket.refusal('once')).toMatchObject({ errorCode: 'fresh_token_required' });
  });

  it('handles public messages of anonymous connections, without their user', async () => {
    const socket = await connect();
    for (const event of ['public', 'optional']) expect((await socket.ask(event)).data).toBeNull();
    const login = await api.login();
    await socket.authenticate(login.access);
    expect((await socket.ask('optional')).data).toBe(login.user.id);
  });

  it('knows no other message', async () => {
    const socket = await connectWith(await api.login());
    socket.send('nothing');
    expect((await socket.ask('access')).event).toBe('answer');
  });

  if (library === 'ws') {
    it('checks binary messages too', async () => {
      const login = await api.login();
      const socket = (await connect()) as InstanceType<typeof WsClient>;
      socket.sendBinary('echo', 'bytes');
      expect((await socket.next(0)).data).toMatchObject({ errorCode: 'token_missing' });
      socket.sendBinary('authenticate', { token: login.access });
      await socket.next(1);
      socket.sendBinary('echo', 'bytes');
      expect((await socket.next(2)).data).toBe('bytes');
    });
    return;
  }

  it('checks binary messages too', async () => {
    const login = await api.login();
    const socket = await connect();
    expect(await socket.refusal('echo', Buffer.from('bytes'))).toMatchObject({ errorCode: 'token_missing' });
    await socket.authenticate(login.access);
    expect((await socket.ask('echo', Buffer.from('bytes'))).data).toBe('bytes');
  });

  it('takes the token from auth.token of the handshake', async () => {
    const login = await api.login();
    const socket = await connect({ auth: login.access });
    expect((await socket.ask('access')).data).toBe(login.user.id);
    for (const auth of [5, 'not.a.token', '', ['a']])
      expect(await (await connect({ auth })).end()).toEqual({ code: 4401, reason: 'token_invalid' });
  });

  it('acknowledges a token, and a refused one', async () => {
    const login = await api.login();
    const socket = (await connect()) as InstanceType<typeof IoClient>;
    expect(await socket.askWithAck('authenticate', { token: 'not.a.token' })).toMatchObject({
      status: 'error',
      errorCode: 'token_invalid',
    });
    expect(await socket.askWithAck('authenticate', { token: login.access })).toEqual({ expires_in: 900 });
    expect(await socket.askWithAck('ack', 'x')).toEqual({ body: 'x' });
  });
});
