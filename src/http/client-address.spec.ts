import { describe, expect, it } from '@jest/globals';
import { canonicalAddress, networkOf, wideNetworkOf } from './client-address.js';

describe('the canonical address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:5678', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:80', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('of %s is %s', (text, address) => {
    expect(canonicalAddress(text)).toBe(address);
  });

  it.each([
    undefined,
    '',
    'unknown',
    '_hidden',
    '127.1',
    '010.0.0.1',
    '0x7f000001',
    '2130706433',
    '192.0.2.256',
    '192.0.2.1:',
    '192.0.2.1, 192.0.2.2',
    '::1::',
    'x'.repeat(10_000),
  ])('is undefined for %s', (text) => {
    expect(canonicalAddress(text)).toBeNull();
    expect(networkOf(text ?? null)).toBe('unknown');
  });
});

describe('the network that is counted together', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['::1', '::/64'],
    // Carried by IPv6: behind a translator all clients have the same first 64 bits, by 6to4 one address has 65,536 sites.
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['64:FF9B::C000:201', '192.0.2.1'],
    ['::ffff:0:192.0.2.1', '192.0.2.1'],
    ['2002:c000:201:7::1', '192.0.2.1'],
    ['2002:c000:201:8:ffff::', '192.0.2.1'],
    ['64:ff9c::192.0.2.1', '64:ff9c::/64'],
  ])('with %s is %s', (text, network) => {
    expect(networkOf(text)).toBe(network);
  });
});

describe('the wide network', () => {
  it.each([
    ['2001:db8:1:2::1', '2001:db8:1::/48'],
    ['2001:db8:1:ffff::1', '2001:db8:1::/48'],
    ['2001:db8:2::1', '2001:db8:2::/48'],
    ['192.0.2.1', undefined],
    ['::ffff:192.0.2.1', undefined],
    ['2002:c000:201:7::1', undefined],
    ['unknown', undefined],
  ])('of %s is %s', (text, network) => {
    expect(wideNetworkOf(text)).toBe(network);
  });
});
