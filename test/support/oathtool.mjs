#!/usr/bin/env node
// What docs/factors.md needs of `oathtool`: --totp --base32 [--now 'N seconds'] SECRET (RFC 6238).
import { createHmac } from 'node:crypto';

const words = process.argv.slice(2);
const now = words.indexOf('--now');
const later = now < 0 ? 0 : Number.parseInt(words[now + 1], 10);
const bits = [...words.at(-1)].map((letter) =>
  'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
);
const secret = Buffer.from(
  bits
    .join('')
    .match(/.{8}/g)
    .map((byte) => Number.parseInt(byte, 2)),
);
const counter = Buffer.alloc(8);
counter.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + later) / 30)));
const digest = createHmac('sha1', secret).update(counter).digest();
const number = digest.readUInt32BE(digest[19] & 0xf) & 0x7fffffff;
process.stdout.write(`${String(number % 1_000_000).padStart(6, '0')}\n`);
