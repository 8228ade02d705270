import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { HashingQueue } from './hashing-queue.js';
import { HashParameters, PasswordHasher } from './password-hasher.js';
import { NO_PASSWORD, readStoredHash, UnusableHashError } from './stored-hash.js';

const PASSWORD = 'space-corgi';
const hasher = new PasswordHasher(new HashingQueue(), new HashParameters());
beforeAll(() => Logger.overrideLogger(false));
afterAll(() => hasher.onApplicationShutdown());

/** Made by the programs that are named, of the password above. */
const MADE_ELSEWHERE = {
  'argon2i of version 16, without a version':
    '$argon2i$m=64,t=1,p=1$qC1HajSKDkudDWyftWQ7JQ$k5Z4ZXe6+tK6q8WmbMrIDqbWQsmBqY+sLlaaGFqIRRE',
  'passlib argon2id':
    '$argon2id$v=19$m=256,t=2,p=2$ek+pFWKsFYKwltLa+x8DoA$JdEAxnD5ylK0awxSRmKmoAWAoEBxhZ3YpIKvuu1lEm8',
  'passlib bcrypt': '$2b$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae',
  'PHP bcrypt': '$2y$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae',
  'bcrypt, 2a': '$2a$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae',
  'passlib scrypt': '$scrypt$ln=8,r=8,p=1$gzAGoLRWyjmndI7RGsO41w$caDhvv0/5RXV0W2gjSFD5mkBzbvLBpDLRL+Q61dASv4',
  'passlib pbkdf2_sha1': '$pbkdf2$1000$9r53bo2xFsLY.793rhVCCA$iWDy5CWfW7cEpvRLnb4CuFWrygw',
  'passlib pbkdf2_sha256':
    '$pbkdf2-sha256$1000$650zRkjJ2dtbC.EcY6wVAg$h.OENVo0n0VyZOUvuU.F6zQYccHKt0S8woqtO2lIvYk',
  'passlib pbkdf2_sha512':
    '$pbkdf2-sha512$1000$TinFWGttbY1xrhVizBlDCA$cEdfkP8XLDNB0lq9MOOfrdtU9KFDLrkJRJJMSzH8T2TxMygT06l7WbWi73GLsXxrla1jsmOQUH6fNyNh.cIchA',
  'PBKDF2 by PHC':
    '$pbkdf2-sha256$i=1000,l=32$650zRkjJ2dtbC+EcY6wVAg$h+OENVo0n0VyZOUvuU+F6zQYccHKt0S8woqtO2lIvYk',
  'Werkzeug scrypt':
    'scrypt:1024:8:1$pSu249Eqt5BT35gP$31f6340e67ee0f4e0e4cebdc7ffa0907c8c9dbaf66c55d0366f49b17e286b68605aecc653e71994f38317b72a139c05c8aac067827d4f108380f58a17de78667',
  'Werkzeug scrypt by default':
    'scrypt:32768:8:1$1RV91CfPIuiev83e$ef6c6fc80854ed08f5d798d5a3809dc22971ea879e1d2181b658e14eabb7ea4cd4f4a86febdf123a0937ba2bda970f7b0c6d929884cfc350421eaae31045a0e8',
  'Werkzeug pbkdf2':
    'pbkdf2:sha256:1000$gN282Cl8FICa0XKq$90e9c14ec06b4591b180896f7bcfc1bb3de95da99b1dba6d73c6fe8ee09a7fca',
  'Werkzeug pbkdf2 of SHA-512':
    'pbkdf2:sha512:1000$lgGCdVb78WRkWrsW$2c5f70fa75e2f0812f16f66d690e663ed8a631ae92b6461d114ba2c281423466090837855dd06685f1b42badb67385f166ec8c17fb3c68553250b21b18947e88',
  'Django pbkdf2_sha256':
    'pbkdf2_sha256$1000$z9pnz2gGxYFTq5CDnNqc9W$ZPAKH3SeNvwpa/RzMrKYw7iTHh4KfWhW6e02xyPvXNk=',
  'Django pbkdf2_sha1': 'pbkdf2_sha1$1000$CzxQ5vYtXNKYoExDJajyLi$3HdfIAhkusS93XwCp7H1A/Pm/gE=',
  'Django argon2':
    'argon2$argon2id$v=19$m=102400,t=2,p=8$NFltUmUyRElxM2Q3ZEJST2JUMmRqZg$jLCYK7+79pFDh0NFOYz6ies+NAYbnKk3smgC2HKD1yY',
  'Django bcrypt': 'bcrypt$$2b$04$OdxvEQ.fsmQOGtkKegxOMeHKyXjiR4cd.gOx5IL/bGyy5YokOFhaG',
  'Django bcrypt_sha256': 'bcrypt_sha256$$2b$04$lYTR6Go.ur2ryWyRl5sNQ.ikMGEnTclCyzjpklkDPsuJsHe5lxI8O',
  'Django scrypt':
    'scrypt$1024$i8mWi8t0XML8a9WIFGVAO3$8$5$wcDMGoMIiu3ID/PsOFGPRDXwayLJxh9eNHkOA20jTeks+UT7bGBrUubtl3Ck7iOkAqpFK20ju8hqRUX5QX9Diw==',
};

describe('a hash of another program', () => {
  it.each(Object.entries(MADE_ELSEWHERE))('is verified: %s', async (name, hash) => {
    const password = name.startsWith('argon2i of') ? 'pw' : PASSWORD;
    expect(await hasher.verify(hash, password)).toBe(true);
    expect(await hasher.verify(hash, `${password} `)).toBe(false);
    expect(hasher.isOutdated(hash)).toBe(true);
  });
});

const SALT = 'AAAAAAAAAAAAAAAAAAAAAA';
const KEY = 'A'.repeat(43);

describe('a hash that would cost too much', () => {
  it.each([
    ['argon2 in memory', `$argon2id$v=19$m=262145,t=1,p=1$${SALT}$${KEY}`, /memory in KiB 262145, more than/],
    ['argon2 in passes', `$argon2id$v=19$m=65536,t=17,p=1$${SALT}$${KEY}`, /passes 17, more than 16/],
    ['argon2 in lanes', `$argon2id$v=19$m=65536,t=1,p=17$${SALT}$${KEY}`, /parallelism 17/],
    ['argon2 beyond a number', `$argon2id$v=19$m=${'9'.repeat(99)},t=1,p=1$${SALT}$${KEY}`, /memory/],
    ['bcrypt', `$2b$15$${'a'.repeat(53)}`, /cost 15, more than 14/],
    ['scrypt in memory', `$scrypt$ln=19,r=8,p=1$${SALT}$${KEY}`, /N 524288, more than/],
    ['scrypt in work', `$scrypt$ln=17,r=8,p=5$${SALT}$${KEY}`, /parallelism 5, more than 4/],
    ['scrypt beyond a number', `$scrypt$ln=999999,r=8,p=1$${SALT}$${KEY}`, /N .*more than/],
    ['PBKDF2', `pbkdf2_sha256$2000001$salt$${KEY}=`, /iterations 2000001, more than 2000000/],
  ])('is refused and never verified: %s', async (_, hash, message) => {
    expect(() => readStoredHash(hash)).toThrow(message);
    const began = performance.now();
    expect(await hasher.verify(hash, PASSWORD)).toBe(false);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('text that is not a hash', () => {
  it.each([
    ['empty', ''],
    ['no password', NO_PASSWORD],
    ['plain text', 'space-corgi'],
    ['plain MD5', '5f4dcc3b5aa765d61d8327deb882cf99'],
    ['Django, unusable', '!0VUtcqzQBxYqwLMCs2gBx6bGJUlzvQOvzEbXnV0B'],
    ['SHA-512 of crypt', '$6$rounds=5000$saltsalt$abcdefabcdefabcdefabcdefabcdefabcdefabcdef'],
    ['very long', `$argon2id$v=19$m=64,t=1,p=1$${SALT}$${'A'.repeat(1000)}`],
    ['a NUL', '\0'],
    ['a NUL in the salt', `scrypt:1024:8:1$sa\0lt$${'ab'.repeat(32)}`],
    ['argon2 without lanes', `$argon2id$v=19$m=64,t=1,p=0$${SALT}$${KEY}`],
    ['argon2 with less memory than its lanes need', `$argon2id$v=19$m=15,t=1,p=2$${SALT}$${KEY}`],
    ['argon2 of another version', `$argon2id$v=20$m=64,t=1,p=1$${SALT}$${KEY}`],
    ['argon2 with a short salt', `$argon2id$v=19$m=64,t=1,p=1$AAAA$${KEY}`],
    ['argon2 with a long salt', `$argon2id$v=19$m=64,t=1,p=1$${'A'.repeat(88)}$${KEY}`],
    ['argon2 that is not canonical', `$argon2id$v=19$m=64,t=1,p=1$${SALT.slice(1)}B$${KEY}`],
    ['argon2 with a key of 4 bytes', `$argon2id$v=19$m=64,t=1,p=1$${SALT}$AAAAAA`],
    ['scrypt with an odd N', `scrypt:1000:8:1$salt$${'ab'.repeat(32)}`],
    ['scrypt with a key that is not hexadecimal', `scrypt:1024:8:1$salt$${'xy'.repeat(32)}`],
    ['scrypt with a key of one byte', 'scrypt:1024:8:1$salt$ab'],
    ['bcrypt with a low cost', `$2b$03$${'a'.repeat(53)}`],
    ['bcrypt cut off', `$2b$10$${'a'.repeat(52)}`],
    ['PBKDF2 of no iterations', `pbkdf2_sha256$0$salt$${KEY}=`],
    ['PBKDF2 of another digest', `pbkdf2:md5:1000$salt$${'ab'.repeat(32)}`],
  ])('is refused, and no password matches it: %s', async (_, hash) => {
    let refusal: unknown;
    try {
      readStoredHash(hash);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(UnusableHashError);
    // It could be a password that somebody exported by mistake.
    if (hash.length > 1) expect((refusal as Error).message).not.toContain(hash);
    expect(await hasher.verify(hash, hash)).toBe(false);
  });
});
