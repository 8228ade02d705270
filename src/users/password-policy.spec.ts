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
  ])('#70 takes "%s"', async (password) => {
    expect(await policy.objection(password, 'cosmo')).toBeUndefined();
  });

  it.each(['short', '1234567', '🐶🐶🐶🐶🐶🐶🐶'])(
    '#70 refuses "%s", which is short, in characters',
    async (password) => {
      expect(await policy.objection(password, 'cosmo')).toBe('must be at least 8 characters long');
    },
  );

  it('counts what will be hashed, and not how a keyboard composes it', async () => {
    expect(await policy.objection('e\u0301'.repeat(7), 'cosmo')).toContain('at least 8');
  });

  it.each(['password1', 'PASSWORD1', 'qwertyuiop', 'iloveyou1'])(
    '#72 refuses "%s", which everybody tries',
    async (password) => {
      expect(await policy.objection(password, 'cosmo')).toContain('tried first');
    },
  );

  it('#72 refuses every one of the list, of which thousands are long enough to be chosen', async () => {
    const { dictionary } = await import('@zxcvbn-ts/language-common');
    const tried = dictionary['passwords-common'].filter(({ length }) => length >= 8);
    expect(tried.length).toBeGreaterThan(3_000);
    const taken = [];
    for (const password of tried)
      if ((await policy.objection(password, 'cosmo')) === undefined) taken.push(password);
    expect(taken).toEqual([]);
  });

  it.each(['cosmo-12', 'CosmoCosmo', 'cosmo2026!', 'freshgate', 'Freshgate-26'])(
    '#72 refuses "%s", which is little more than a name',
    async (password) => {
      expect(await policy.objection(password, 'cosmo')).toContain('must not be made of');
    },
  );
});
