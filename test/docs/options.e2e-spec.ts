import { describe, expect, it } from '@jest/globals';
import { type AuthModuleExtras, AuthModule, AuthOptions } from '../../src/auth/index.js';
import { formatDuration, parseDuration } from '../../src/time/duration.js';
import { createTestApp } from '../support/create-test-app.js';
import { blocksOf, quotesIn, readDocument, rowsOf, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/options.md');

/** Numbers that are no durations. */
const COUNTS = ['minLength'];

/** `tokens.accessTtl` → `15m`, of every option. */
function defaults(): [option: string, shown: string][] {
  const show = (value: unknown, name: string): string => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none';
    if (typeof value === 'number' && !COUNTS.includes(name)) return formatDuration(value);
    return (Array.isArray(value) ? value : [value]).map(String).join(', ');
  };
  return Object.entries(new AuthOptions()).flatMap(([name, value]: [string, unknown]): [string, string][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([member, each]): [string, string] => [
          `${name}.${member}`,
          show(each, member),
        ])
      : [[name, show(value, name)]],
  );
}

/** `30d` as `4w 2d`; what is no duration as it is. */
function normalized(shown: string): string {
  return /^\d+[wdhms]$/.test(shown) ? formatDuration(parseDuration(shown)) : shown;
}

describe('docs/options.md', () => {
  it('lists every option with its default, and nothing else', () => {
    const known = defaults();
    expect(known.length).toBeGreaterThan(25);
    const listed = rowsOf(DOCUMENT).map(([option = '', shown = '']) => {
      const value = normalized(shown.includes('`') ? quotesIn(shown).join(', ') : shown);
      return `${quotesIn(option).join()} = ${value}`;
    });
    const expected = ['keys = must be given', ...known.map((pair) => pair.join(' = '))];
    expect(listed.toSorted()).toEqual(expected.toSorted());
  });

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
