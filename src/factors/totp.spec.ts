import { describe, expect, it } from '@jest/globals';
import { acceptedSteps, base32, codeOf, otpauthUri, stepAt } from './totp.js';

const SECRET = Buffer.from('12345678901234567890');

describe('codeOf', () => {
  // RFC 6238, appendix B: the last six of its eight digits.
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('gives the code of RFC 6238 for second %s', (seconds, code) => {
    expect(codeOf(SECRET, stepAt(seconds * 1000))).toBe(code);
  });

  // RFC 4226, appendix D.
  it('gives the codes of RFC 4226', () => {
    const codes = '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' ');
    expect(codes.map((_, count) => codeOf(SECRET, count))).toEqual(codes);
  });
});

describe('acceptedSteps', () => {
  it('are the current one, one before and one after', () => {
    expect(acceptedSteps(90_000)).toEqual([3, 2, 4]);
    expect(acceptedSteps(119_999)).toEqual([3, 2, 4]);
    expect(acceptedSteps(120_000)).toEqual([4, 3, 5]);
  });
});

describe('otpauthUri', () => {
  it('names issuer and account, in any characters', () => {
    const uri = new URL(otpauthUri(SECRET, 'https://a b.example:8', 'cosmo&x=1'));
    expect(decodeURIComponent(uri.pathname)).toBe('//totp/https://a b.example:8:cosmo&x=1'.slice(6));
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      secret: base32(SECRET),
      issuer: 'https://a b.example:8',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
  });
});

describe('base32', () => {
  it('is that of RFC 4648', () => {
    expect(base32(SECRET)).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
  });
});
