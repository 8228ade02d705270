import { createHmac } from 'node:crypto';
import { type Clock } from '../auth/index.js';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** An authenticator application (RFC 6238), on the test clock. Each code is given once: move the clock for the next. */
export class TestAuthenticator {
  private readonly secret: Buffer;
  /** The recovery codes that its enrolment returned. */
  recoveryCodes: readonly string[] = [];

  /** @param uri as `POST /auth/factors/otp` answers it */
  constructor(
    uri: string,
    private readonly clock: Clock,
  ) {
    const secret = new URL(uri).searchParams.get('secret') ?? '';
    const bits = [...secret].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
    this.secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  }

  /** @param steps of 30 seconds from now: the server accepts -1, 0 and 1 */
  code(steps = 0): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(this.clock.now() / 30_000) + steps));
    const digest = createHmac('sha1', this.secret).update(counter).digest();
    const number = digest.readUInt32BE(digest.readUInt8(19) & 0xf) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, '0');
  }
}
