import { describe, expect, it } from '@jest/globals';
import { PasswordPolicy } from './password-policy.js';

const policy = new PasswordPolicy(8, ['freshgate']);

describe('the password policy', () => {
  it.each([
    'space-corgi',
    'correct horse battery staple',
    'пароль-для-лайки',
    '🐶🚀🐶🚀🐶🚀🐶🚀',
    'cosmo in the orbit',
  ])('takes "%s"', async (password) => {
    expect(await policy.rejectionReason(password, 'cosmo')).toBeUndefined();
  });

  it.each(['short', '1234567', '🐶🐶🐶🐶🐶🐶🐶'])(
    'refuses "%s", which is short, in characters',
    async (password) => {
      expect(await policy.rejectionReason(password, 'cosmo')).toBe('must be at least 8 characters long');
    },
  );

  it('counts composed characters, as they are hashed', async () => {
    expect(await policy.rejectionReason('e\u0301'.repeat(7), 'cosmo')).toContain('at least 8');
  });

  it.each(['password1', 'PASSWORD1', 'qwertyuiop', 'iloveyou1'])(
    'refuses "%s", which is a common password',
    async (password) => {
      expect(await policy.rejectionReason(password, 'cosmo')).toContain('common password');
    },
  );

  it('refuses every one of the list, of which thousands are long enough to be chosen', async () => {
    const { dictionary } = await import('@zxcvbn-ts/language-common');
    const tried = dictionary['passwords-common'].filter(({ length }) => length >= 8);
    expect(tried.length).toBeGreaterThan(3_000);
    const taken = [];
    for (const password of tried)
      if ((await policy.rejectionReason(password, 'cosmo')) === undefined) taken.push(password);
    expect(taken).toEqual([]);
  });

  it.each(['cosmo-12', 'CosmoCosmo', 'cosmo2026!', 'freshgate', 'Freshgate-26'])(
    'refuses "%s", which is little more than a name',
    async (password) => {
      expect(await policy.rejectionReason(password, 'cosmo')).toContain('must not be made of');
    },
  );

  it('accepts a name with six other characters, and refuses one with five', async () => {
    expect(await policy.rejectionReason('cosmo-8kV3q', 'cosmo')).toBeUndefined();
    expect(await policy.rejectionReason('cosmo-8kV3', 'cosmo')).toContain('must not be made of "cosmo"');
  });

  it('finds names in any spelling, and ignores names of two letters', async () => {
    const short = new PasswordPolicy(8, ['https://ACME.example', 'io']);
    expect(await short.rejectionReason('https://acme.example', 'zqx')).toContain('must not be made of');
    expect(await short.rejectionReason('ZqxzqxZqx', 'zqx')).toContain('must not be made of');
    expect(await short.rejectionReason('io-IO-io-IO', 'zqx')).toBeUndefined();
  });

  it('refuses the longest and the shortest common password', async () => {
    const { dictionary } = await import('@zxcvbn-ts/language-common');
    const tried = dictionary['passwords-common'].map(String).filter((each) => each.length >= 8);
    const edges = [tried.filter(({ length }) => length === 8), tried.toSorted((a, b) => b.length - a.length)];
    for (const [first = ''] of edges)
      expect(await policy.rejectionReason(first.toUpperCase(), 'cosmo')).toContain('common password');
  });
});
