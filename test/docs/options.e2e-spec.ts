import { describe, expect, it } from '@jest/globals';
import { type AuthModuleExtras, AuthModule } from '../../src/auth/index.js';
import { createTestApp } from '../support/create-test-app.js';
import { blocksOf, readDocument, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/options.md');

describe('docs/options.md', () => {
  it('has `AuthModule.forRootAsync`', () => {
    expect(typeof AuthModule.forRootAsync).toBe('function');
  });

  it('shows an example of every hook, and hooks that are obeyed', async () => {
    const examples = blocksOf(DOCUMENT, 'ts');
    for (const hook of [
      'TokenExtras',
      'SubjectMapper',
      'TokenRule',
      'RevocationCheck',
      'UserLoader',
      'ErrorRenderer',
    ]) {
      expect(examples[1]).toMatch(new RegExp(`extends ${hook}\\b`));
    }
    await withExamples('options', examples, async (files) => {
      const { hooks } = (await import(files[1] ?? '')) as { hooks: AuthModuleExtras };
      const api = await createTestApp({ auth: hooks });
      try {
        const user = await api.user();
        const { access } = await user.login();
        const { body } = await api.request('GET', '/profile', access).expect(200);
        expect(body).toMatchObject({ id: user.id });
        const refused = await api.request('GET', '/profile').expect(401);
        expect(refused.body).toEqual({ status: 401, title: 'Missing bearer token', code: 'token_missing' });
        const suspended = await (await api.user('suspended.one')).login();
        const answer = await api.request('GET', '/profile', suspended.access).expect(401);
        expect(answer.body).toMatchObject({ code: 'token_invalid' });
      } finally {
        await api.close();
      }
    });
  });
});
