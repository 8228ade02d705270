import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../testing/test-clock.js';
import { generateKeySet } from '../../keys/key-file.js';
import { KeyRing } from '../../keys/key-ring.js';
import { CsrfTokens } from '../cookies/csrf-tokens.js';
import { Devices } from './devices.js';

describe('a device value', () => {
  const clock = new TestClock();
  const newRing = () => new KeyRing(generateKeySet(), clock.now());
  let ring: KeyRing;
  let devices: Devices;
  beforeEach(() => {
    ring = newRing();
    devices = new Devices(ring, clock);
  });

  it('is accepted for its user only', () => {
    const value = devices.issue('laika');
    expect(devices.find('laika', [value])).toBe(value.split('.')[0]);
    expect(devices.find('cosmo', [value])).toBeUndefined();
    expect(devices.find('', [value])).toBeUndefined();
  });

  it('is different each time, and does not show whose it is', () => {
    const values = Array.from({ length: 50 }, () => devices.issue('laika'));
    expect(new Set(values.map((value) => value.split('.')[0])).size).toBe(50);
    expect(values.join()).not.toContain('laika');
    expect(values.join()).not.toContain(Buffer.from('laika').toString('base64url'));
  });

  it('is found among planted ones', () => {
    const value = devices.issue('laika');
    expect(devices.find('laika', ['planted', devices.issue('cosmo'), value])).toBe(value.split('.')[0]);
  });

  it('is refused when any part of it is changed', () => {
    const [nonce = '', kid = '', mac = ''] = devices.issue('laika').split('.');
    const other = devices.issue('laika').split('.')[0] ?? '';
    const swapped = mac.startsWith('A') ? `B${mac.slice(1)}` : `A${mac.slice(1)}`;
    const forged = [
      `${other}.${kid}.${mac}`,
      `${nonce}.${kid}.${swapped}`,
      `${nonce}.${kid}.`,
      `${nonce}.${kid}`,
      `${nonce}..${mac}`,
      `.${kid}.${mac}`,
      `${nonce}.other.${mac}`,
      `${nonce}.${kid}.${mac}${'x'.repeat(1000)}`,
      '',
      '.',
      '..',
    ];
    expect(forged.filter((value) => devices.find('laika', [value]) !== undefined)).toEqual([]);
  });

  it('cannot be made from a CSRF token or with other keys', () => {
    const made = new CsrfTokens(ring, clock).of('nonce.laika');
    expect(devices.find('laika', [`nonce.${made}`])).toBeUndefined();
    expect(devices.find('laika', [new Devices(newRing(), clock).issue('laika')])).toBeUndefined();
  });
});
