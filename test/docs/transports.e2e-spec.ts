import { type Type } from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import { expect, it } from '@jest/globals';
import { type WebSocket } from 'ws';
import { createTestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { ask as query } from '../support/graphql.js';
import { freePort } from '../support/free-port.mjs';
import { until } from '../support/until.js';
import { blocksOf, readDocument, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/transports.md');
const exampleOf = (word: string) => blocksOf(DOCUMENT, 'ts').filter((code) => code.includes(word));

it('the examples of gateways run: a client that renews its token, a refusal as shown, and the end', async () => {
  await withExamples('transports', blocksOf(DOCUMENT, 'ts'), async ([gateway = '', client = '']) => {
    const { ChatModule } = (await import(gateway)) as { ChatModule: Type };
    const { connect } = (await import(client)) as {
      connect: (url: string, accessToken: () => Promise<string>) => WebSocket;
    };
    const api = await createTestApp({ imports: [ChatModule] });
    const login = await api.login();
    await login.rotate();
    const url = (await api.app.getUrl()).replace('http', 'ws');
    const socket = connect(url, async () => login.access);
    const told: unknown[] = [];
    let end: { code: number; reason: string } | undefined;
    socket.addEventListener('message', ({ data }) => told.push(JSON.parse(data as string)));
    socket.addEventListener('close', ({ code, reason }) => (end = { code, reason }));
    const ask = async (event: string, data?: unknown) => {
      const seen = told.length;
      socket.send(JSON.stringify({ event, data }));
      await until(2_000, async () => told.length > seen);
      return told.at(-1);
    };
    await until(2_000, async () => told.length > 0);
    expect(told).toEqual([{ event: 'authenticated', data: { expires_in: 900 } }]);
    expect(await ask('ping')).toEqual({ event: 'pong' });
    expect(await ask('say', 'hi')).toEqual({ event: 'said', data: { by: login.user.id, text: 'hi' } });
    const [shown = ''] = blocksOf(DOCUMENT, 'json');
    expect(await ask('clear')).toEqual({ event: 'exception', data: JSON.parse(shown) });
    await login.reauthenticate();
    await ask('authenticate', { token: login.access });
    expect(await ask('clear')).toEqual({ event: 'cleared' });
    await api.request('POST', '/auth/logout', login.access).expect(204);
    await until(1_000, async () => end !== undefined);
    expect(end).toEqual({ code: 4401, reason: 'token_revoked' });
    await api.close();
  });
});

it('the examples of microservices run, and a refusal is as shown', async () => {
  await withExamples('transports', blocksOf(DOCUMENT, 'ts'), async ([, , service = '', client = '']) => {
    const { BooksModule } = (await import(service)) as { BooksModule: Type };
    const { Books } = (await import(client)) as {
      Books: new (
        host: string,
        port: number,
      ) => {
        list(page: number, token: string): Promise<object>;
        clear(token: string): Promise<object>;
        close(): void;
      };
    };
    const api = await createTestApp({ imports: [BooksModule] });
    const options = { host: '127.0.0.1', port: await freePort() };
    api.app.connectMicroservice({ transport: Transport.TCP, options });
    await api.app.startAllMicroservices();
    const books = new Books(options.host, options.port);
    const login = await api.login();
    expect(await books.list(2, login.access)).toEqual({ page: 2, of: login.user.id });
    expect(await books.clear(login.access)).toEqual({ cleared: true });
    await login.rotate();
    const [, shown = ''] = blocksOf(DOCUMENT, 'json');
    await expect(books.clear(login.access)).rejects.toEqual(JSON.parse(shown));
    books.close();
    await api.close();
  });
});

it('the example of event streams and long answers runs, and both end at the logout', async () => {
  await withExamples('transports', blocksOf(DOCUMENT, 'ts'), async ([, , , , file = '']) => {
    const { TicksController } = (await import(file)) as { TicksController: Type };
    const api = await createTestApp({ controllers: [TicksController] });
    const login = await api.login();
    const open = async (path: string) => {
      const headers = { authorization: `Bearer ${login.access}` };
      const response = await fetch(`${await api.app.getUrl()}/ticks/${path}`, { headers });
      const answer = { path, text: '', ended: false };
      const read = async () => {
        for await (const chunk of response.body as ReadableStream<Uint8Array>)
          answer.text += Buffer.from(chunk).toString();
      };
      void read()
        .catch(() => {})
        .finally(() => (answer.ended = true));
      await until(2_000, async () => answer.text.length > 10);
      return answer;
    };
    const answers = [await open('events'), await open('lines')];
    expect(answers.map(({ ended }) => ended)).toEqual([false, false]);
    await api.request('POST', '/auth/logout', login.access).expect(204);
    await until(1_000, async () => answers.every(({ ended }) => ended));
    await api.close();
  });
});

it('the example of GraphQL runs', async () => {
  await withExamples('transports-graphql', exampleOf('GraphqlAuthModule'), async ([file = '']) => {
    const { AccountsGraphModule } = (await import(file)) as { AccountsGraphModule: Type };
    const api = await createTestApp({ imports: [AccountsGraphModule] });
    const login = await api.login();
    const answer = { me: { id: login.user.id, iban: `iban of ${login.user.id}` } };
    expect(await query(api, '{ me { id iban } }', login.access)).toEqual({ data: answer, errors: [] });
    expect((await query(api, '{ version }')).data).toEqual({ version: '1' });
    expect((await query(api, 'mutation { transfer(to: "laika") }', login.access)).data).toEqual({
      transfer: true,
    });
    const { errors } = await query(api, 'mutation { transfer(to: "laika") }', login.access);
    const shown = blocksOf(DOCUMENT, 'json').find((each) => each.includes('extensions')) ?? '';
    const { extensions } = JSON.parse(
      shown.replace('…', 'error_description=\\"Fresh token required\\"'),
    ) as (typeof errors)[0];
    expect(errors).toEqual([
      expect.objectContaining({ message: 'Fresh token required', path: ['transfer'], extensions }),
    ]);
    await api.close();
  });
});

it('the example of API keys accepts a key or a token, and no invalid token beside a key', async () => {
  await withExamples('transports-keys', exampleOf('KeyOrToken'), async ([file = '']) => {
    const { ApiKeys, ReportsController } = (await import(file)) as Record<
      'ApiKeys' | 'ReportsController',
      Type
    >;
    class TeamModule {}
    const api = await createTestApp({
      imports: [{ module: TeamModule, controllers: [ReportsController], providers: [ApiKeys] }],
    });
    const { access, user } = await api.login();
    const key = { 'x-api-key': 'key-of-the-reporting-job' };
    const withKey = (token?: string) => api.request('GET', '/reports', token).set(key);
    expect((await api.request('GET', '/reports', access).expect(200)).body).toEqual({ owner: user.id });
    expect((await withKey().expect(200)).body).toEqual({ owner: 'reporting' });
    expect((await withKey(access).expect(200)).body).toEqual({ owner: user.id });
    expectError(await withKey('not.a.token'), 401, 'token_invalid');
    expectError(await api.request('GET', '/reports').set({ 'x-api-key': 'another' }), 401, 'token_missing');
    expectError(await api.request('GET', '/reports'), 401, 'token_missing');
    await api.close();
  });
});
