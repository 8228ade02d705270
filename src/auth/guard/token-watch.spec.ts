import { type HttpException, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RevokedSessions } from '../../sessions/revoked-sessions.js';
import { TestClock } from '../../testing/test-clock.js';
import { AuthOptions } from '../options/auth-options.js';
import { TokenWatch } from './token-watch.js';

describe('TokenWatch', () => {
  let clock: TestClock;
  let revoked: RevokedSessions;
  let staleness: number;
  let watch: TokenWatch;
  let ends: (string | undefined)[];
  beforeEach(() => {
    jest.useFakeTimers();
    clock = new TestClock();
    revoked = new RevokedSessions();
    staleness = 0;
    ends = [];
    watch = new TokenWatch(revoked, { staleness: () => staleness } as never, clock, new AuthOptions());
  });
  afterEach(() => void jest.useRealTimers());

  const claims = (sid = 'one') => ({ sid, exp: clock.now() / 1000 + 60 });
  const onEnd = (error: HttpException) => void ends.push(error.errorCode);
  const revoke = (id: string) => revoked.add([{ id, access_until: clock.now(), revoke_cause: 'logout' }]);
  const nothingIsLeft = () => {
    clock.advance('1h');
    revoke('one');
    expect([watch.size, jest.getTimerCount()]).toEqual([0, 0]);
  };

  it('ends every watch of a revoked session, and no other', () => {
    for (const sid of ['one', 'one', 'two']) watch.until(claims(sid), onEnd);
    revoke('one');
    revoke('one');
    expect([ends, watch.size]).toEqual([['token_revoked', 'token_revoked'], 1]);
  });

  it('ends the others if one fails to end, and every revocation is remembered', () => {
    const failed = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const fail = () => {
      throw new Error('a listener of the socket');
    };
    for (const callback of [fail, onEnd]) watch.until(claims(), callback);
    revoked.add(
      ['one', 'two'].map((id) => ({ id, access_until: clock.now(), revoke_cause: 'logout_all' as const })),
    );
    expect([ends, revoked.has('two'), failed.mock.calls.length]).toEqual([['token_revoked'], true, 1]);
    watch.until(claims('three'), fail);
    clock.advance('1h');
    expect(failed).toHaveBeenCalledTimes(2);
    failed.mockRestore();
    nothingIsLeft();
  });

  it('ends at the expiry', () => {
    watch.until(claims(), onEnd);
    clock.advance('59s');
    expect(ends).toEqual([]);
    clock.advance('1s');
    nothingIsLeft();
    expect(ends).toEqual(['token_expired']);
  });

  it('ends at once for a session that was revoked since the check', () => {
    revoke('one');
    watch.until(claims(), onEnd);
    expect(ends).toEqual(['token_revoked']);
    nothingIsLeft();
  });

  it('ends when it is no longer known which sessions are revoked', () => {
    for (const sid of ['one', 'two']) watch.until(claims(sid), onEnd);
    staleness = 60_000;
    jest.advanceTimersByTime(5_000);
    expect(ends).toEqual([]);
    staleness = 60_001;
    jest.advanceTimersByTime(1_000);
    expect(ends).toEqual(['revocation_feed_lost', 'revocation_feed_lost']);
    nothingIsLeft();
  });

  it('ends at the expiry alone without the check of revocations', () => {
    watch.until(claims(), onEnd, { skipRevocationCheck: true });
    revoke('one');
    expect(ends).toEqual([]);
    clock.advance('60s');
    expect(ends).toEqual(['token_expired']);
  });

  it('keeps nothing when it is stopped', () => {
    watch.until(claims(), onEnd)();
    nothingIsLeft();
    expect(ends).toEqual([]);
  });
});
