import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { DefaultQueryCompiler } from 'kysely';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';

/*
 * A value in the text of a statement, such as the time of the request, makes every text different. SQLite then prepares
 * each one, which costs as much as running it, and cached statements of other requests are dropped.
 */
describeEachEngine('statements', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterEach(() => void jest.restoreAllMocks());
  afterAll(() => api.close());

  it('have the same texts for every user, time and generation', async () => {
    const story = async () => {
      api.clock.advance('71s');
      const user = await api.user();
      const credentials = { username: user.username, password: user.password };
      const login = await api.request('POST', '/auth/login').send(credentials).expect(200);
      const tokens = [(login.body as { refresh_token: string }).refresh_token];
      const send = async (path: string, body: object, token = tokens.at(-1)) => {
        const response = await api.request('POST', path, token).send(body).expect(200);
        tokens.push((response.body as { refresh_token: string }).refresh_token);
      };
      for (let i = 0; i < generations; i++) await send('/auth/refresh', {});
      // The last one again: its answer was lost.
      await send('/auth/refresh', {}, tokens.at(-2));
      await send('/auth/reauthenticate', { password: user.password });
      await api.request('POST', '/auth/logout', tokens.at(-1)).expect(204);
    };
    const compile = jest.spyOn(DefaultQueryCompiler.prototype, 'compileQuery');
    const textsOf = async (run: () => Promise<void>) => {
      compile.mockClear();
      await run();
      return compile.mock.results.map(({ value }) => (value as { sql: string }).sql);
    };
    let generations = 2;
    await story();
    const known = new Set(await textsOf(story));
    generations = 5;
    const texts = await textsOf(story);
    expect(texts.filter((text) => !known.has(text))).toEqual([]);
    expect(texts.some((text) => text.startsWith('update "sessions"'))).toBe(true);
  });
});
