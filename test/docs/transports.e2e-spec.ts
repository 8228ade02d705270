import { type Type } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { createTestApp } from '../support/create-test-app.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/transports.md');

it('the example of event streams and long answers runs, and both end at the logout', async () => {
  await withExamples('transports', blocksOf(DOCUMENT, 'ts'), async ([file = '']) => {
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
