import { type Type } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { type WebSocket } from 'ws';
import { createTestApp } from '../support/create-test-app.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/transports.md');

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

it('the example of event streams and long answers runs, and both end at the logout', async () => {
  await withExamples('transports', blocksOf(DOCUMENT, 'ts'), async ([, , file = '']) => {
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
