import { describe, expect, it } from '@jest/globals';
import { parseEmail } from './email-address.js';

describe('parseEmail', () => {
  it.each([
    ['cosmo@example.com', 'cosmo@example.com'],
    [' Cosmo@Example.COM ', 'cosmo@example.com'],
    ["o'brien+news@mail.example.org", "o'brien+news@mail.example.org"],
    ['ｃosmo＠example．com', 'cosmo@example.com'],
    ['cosmo@bücher.example', 'cosmo@xn--bcher-kva.example'],
    ['cosmo@exаmple.com', 'cosmo@xn--exmple-4nf.com'],
    [`${'a'.repeat(64)}@${'b'.repeat(63)}.example.com`, `${'a'.repeat(64)}@${'b'.repeat(63)}.example.com`],
  ])('reads %j', (text, address) => {
    expect(parseEmail(text)).toBe(address);
    expect(parseEmail(address)).toBe(address);
  });

  it.each([
    '',
    '@',
    'cosmo',
    'cosmo@',
    '@example.com',
    'cosmo@example',
    'cosmo@localhost',
    'a@b@example.com',
    'a＠b@example.com',
    'victim@example.com,attacker@example.net',
    'victim@example.com;attacker@example.net',
    'victim@example.com attacker@example.net',
    'victim@example.com\r\nBcc: attacker@example.net',
    'Victim <victim@example.com>',
    '<victim@example.com>',
    '"victim"@example.com',
    '"a b"@example.com',
    'vic tim@example.com',
    'victim@exam ple.com',
    'victim\0@example.com',
    'victim(comment)@example.com',
    'victim@[127.0.0.1]',
    'victim@127.0.0.1',
    'victim@0x7f.1',
    '.victim@example.com',
    'victim.@example.com',
    'vic..tim@example.com',
    'victim@-example.com',
    'victim@example..com',
    'victim@example.com.',
    'victim@example.com/path',
    'victim@example.com?a=b',
    'victim@example.com:25',
    // Looks like victim@…: its second letter is Cyrillic.
    'vіctim@example.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(64)}.com`,
    `a@${`${'b'.repeat(60)}.`.repeat(5)}com`,
    'a'.repeat(300),
  ])('refuses %j', (text) => {
    expect(parseEmail(text)).toBeUndefined();
  });

  it('reads letters that NFKC makes ASCII as those letters', () => {
    expect(parseEmail('\u212aosmo@example.com')).toBe('kosmo@example.com');
  });
});
