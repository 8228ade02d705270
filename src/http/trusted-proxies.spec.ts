import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type IncomingMessage } from 'node:http';
import { trustProxies, UntrustedForwarding } from './trusted-proxies.js';

const HOUR = 60 * 60 * 1000;

function request(peer: string, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { headers, socket: { remoteAddress: peer } } as unknown as IncomingMessage;
}

describe('X-Forwarded-For from a peer that is not trusted', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  function watch(networks: string[]) {
    const clock = { now: 0 };
    const forwarding = new UntrustedForwarding(trustProxies(networks), () => clock.now);
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    return { clock, forwarding, warn };
  }

  it('is a warning that names the peer and TRUSTED_PROXIES, once an hour', () => {
    const { clock, forwarding, warn } = watch([]);
    forwarding.notice(request('192.0.2.7', '203.0.113.1'));
    forwarding.notice(request('192.0.2.8', '203.0.113.1'));
    clock.now = HOUR - 1;
    forwarding.notice(request('192.0.2.7', '203.0.113.1'));
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(
      expect.stringMatching(/^ignored X-Forwarded-For from 192\.0\.2\.7, .*TRUSTED_PROXIES/),
    );
    clock.now = HOUR;
    forwarding.notice(request('::ffff:192.0.2.8', '203.0.113.1'));
    expect(warn).toHaveBeenCalledTimes(2);
    expect(warn).toHaveBeenLastCalledWith(expect.stringContaining('from 192.0.2.8,'));
  });

  it('is no warning from a trusted proxy, or without the header, and these do not use the hour up', () => {
    const { forwarding, warn } = watch(['10.0.0.0/8']);
    forwarding.notice(request('10.1.2.3', '203.0.113.1'));
    forwarding.notice(request('192.0.2.7'));
    expect(warn).not.toHaveBeenCalled();
    forwarding.notice(request('192.0.2.7', '203.0.113.1'));
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
