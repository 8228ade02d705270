import { describe, expect, it } from '@jest/globals';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyRing, KeyRingError, type SigningAlgorithm, type TokenKind } from './key-ring.js';
import { generateKey } from './key-file.js';
import { readPemKey } from './pem-key.js';

const file = join(mkdtempSync(join(tmpdir(), 'freshgate-pem-')), 'key.pem');
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const P256 = ec('P-256');
const P384 = ec('P-384');
const RSA = rsa(2048);
const pem = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1' = 'pkcs8') =>
  key.export({ format: 'pem', type } as { format: 'pem'; type: 'pkcs8' }).toString();
/** As `openssl ecparam -genkey` writes it. */
const PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';

function read(text: string, kind: TokenKind, alg?: SigningAlgorithm) {
  writeFileSync(file, text);
  return readPemKey(file, kind, alg);
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a private key in PEM', () => {
  it.each([
    ['PKCS#8 of P-256', pem(P256), P256, 'ES256'],
    ['SEC1 of P-256', pem(P256, 'sec1'), P256, 'ES256'],
    ['SEC1 with its parameters', PARAMETERS + pem(P256, 'sec1'), P256, 'ES256'],
    [
      'lines of Windows and text around it',
      `Bag Attributes\r\n${pem(P256).replaceAll('\n', '\r\n')}`,
      P256,
      'ES256',
    ],
    ['PKCS#8 of P-384', pem(P384), P384, 'ES384'],
    ['PKCS#8 of RSA', pem(RSA), RSA, 'RS256'],
    ['PKCS#1 of RSA', pem(RSA, 'pkcs1'), RSA, 'RS256'],
  ])('is read from %s', (_, text, key, alg) => {
    const jwk = read(text, 'access');
    expect(jwk).toMatchObject({ alg, use: 'sig', token_use: 'access', ...key.export({ format: 'jwk' }) });
    expect(jwk.kid).toMatch(/^[\w-]{43}$/);
    expect(() => new KeyRing({ keys: [jwk, generateKey('refresh', 'HS256')] }, Date.now())).not.toThrow();
  });

  it('has the same kid whatever the format, so that it is not added twice', () => {
    const [one, other] = [read(pem(P256), 'access'), read(pem(P256, 'sec1'), 'refresh')];
    expect(one.kid).toBe(other.kid);
    expect(read(pem(P384), 'access').kid).not.toBe(one.kid);
  });

  it('signs with the algorithm that was asked for, if it can', () => {
    expect(read(pem(RSA), 'access', 'PS256').alg).toBe('PS256');
    expect(refusal(() => read(pem(P256), 'access', 'RS256'))).toBe(
      `${file}: this key cannot sign with RS256; it can with ES256`,
    );
    expect(refusal(() => read(pem(RSA), 'access', 'HS256'))).toMatch('it can with RS256 and PS256');
  });

  const encrypted = P256.export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }).toString();
  const old = RSA.export({ format: 'pem', type: 'pkcs1', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  const publicKey = createPublicKey(createPrivateKey(pem(P256)))
    .export({ format: 'pem', type: 'spki' })
    .toString();
  it.each([
    ['an encrypted key', encrypted, /is encrypted; decrypt it first: openssl pkey -in \S+key\.pem -out/],
    ['an encrypted key in the old format', old, /is encrypted; decrypt it first/],
    ['a public key', publicKey, /holds only a public key; signing needs the private one/],
    ['a short RSA key', pem(rsa(1024)), /an RSA key of 1024 bits; it needs at least 2048/],
    ['another curve', pem(ec('secp256k1')), /type ec secp256k1; supported are RSA, EC P-256 and EC P-384/],
    ['another type', pem(generateKeyPairSync('ed25519').privateKey), /type ed25519; supported are/],
    ['two keys', pem(P256) + pem(P384), /holds 2 private keys; import each from its own file/],
    ['a damaged key', pem(P256).replace(/\n.{20}/, '\n'), /holds a damaged private key/],
    ['a secret', 'super-secret\n', /holds no private key in PEM/],
    ['an empty file', '', /holds no private key in PEM/],
    ['a key of OpenSSH', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n', /ssh-keygen -p -m PKCS8/],
  ])('is refused, and nothing of it shown: %s', (_, text, message) => {
    const said = refusal(() => read(text, 'access'));
    expect(said).toMatch(message);
    expect(said.startsWith(file)).toBe(true);
    for (const line of text.split('\n').filter((each) => each.length > 30 && !each.startsWith('-')))
      expect(said).not.toContain(line);
  });

  it('is refused where the file cannot be read', () => {
    expect(refusal(() => readPemKey('/nowhere/key.pem', 'access'))).toMatch(
      /^\/nowhere\/key\.pem cannot be read: ENOENT/,
    );
  });
});
