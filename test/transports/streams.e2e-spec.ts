import { Controller, Get, type MessageEvent, Sse, StreamableFile } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { NEVER, type Observable, startWith } from 'rxjs';
import { Access, FreshAccess, OptionalAccess, Public, SessionSignal } from '../../src/auth/index.js';
import { TokenWatch } from '../../src/auth/internals.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachAdapter } from '../support/adapters.js';
import { expectError } from '../support/expect-error.js';
import { until } from '../support/until.js';

const events = (): Observable<MessageEvent> => NEVER.pipe(startWith({ data: 'first' }));

@Controller('streams')
class StreamsController {
  @Sse('undeclared')
  undeclared(): Observable<MessageEvent> {
    return events();
  }

  @FreshAccess()
  @Sse('fresh')
  fresh(): Observable<MessageEvent> {
    return events();
  }

  @OptionalAccess()
  @Sse('optional')
  optional(): Observable<MessageEvent> {
    return events();
  }

  @Access({ skipRevocationCheck: true })
  @Sse('unchecked')
  unchecked(): Observable<MessageEvent> {
    return events();
  }

  @Public()
  @Sse('public')
  open(): Observable<MessageEvent> {
    return events();
  }

  @Get('file')
  file(@SessionSignal() signal: AbortSignal): StreamableFile {
    const stream = new PassThrough();
    stream.write('first');
    signal.addEventListener('abort', () => stream.end((signal.reason as Error).message));
    return new StreamableFile(stream);
  }

  @OptionalAccess()
  @Get('optional-file')
  optionalFile(@SessionSignal() signal: AbortSignal): { aborted: boolean } {
    return { aborted: signal.aborted };
  }
}

/** An open answer: what was read of it, and whether it has ended. */
class OpenStream {
  text = '';
  ended = false;
  private readonly closing = new AbortController();

  static async open(api: TestApp, path: string, token?: string): Promise<OpenStream> {
    const stream = new OpenStream();
    const headers = new Headers();
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const response = await fetch(`${await api.app.getUrl()}/streams/${path}`, {
      headers,
      signal: stream.closing.signal,
    });
    expect(response.status).toBe(200);
    void stream.read(response.body as ReadableStream<Uint8Array>);
    await until(1_000, async () => stream.text.includes('first'));
    return stream;
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of body) this.text += Buffer.from(chunk).toString();
      this.ended = true;
    } catch {
      // Closed by the test; an answer that the server cut off is not an end either.
    }
  }

  /** @throws Error if the answer does not end by itself within so many milliseconds */
  async end(limit = 1_000): Promise<void> {
    await until(limit, async () => this.ended);
  }

  async staysOpen(): Promise<void> {
    await expect(this.end(100)).rejects.toThrow('does not hold');
  }

  close(): void {
    this.closing.abort();
  }
}

describeEachAdapter('an open stream', ({ adapter }) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ adapter, controllers: [StreamsController] });
  });
  afterAll(() => api.close());

  const STREAMS = ['undeclared', 'fresh', 'optional', 'file'];

  it.each(STREAMS)('ends within a second of the logout (%s)', async (path) => {
    const login = await api.login();
    const other = await api.login();
    const stream = await OpenStream.open(api, path, login.access);
    const others = await OpenStream.open(api, path, other.access);
    await api.request('POST', '/auth/logout', login.refresh).expect(204);
    await stream.end();
    expect(others.ended).toBe(false);
    others.close();
  });

  it.each(STREAMS)('ends when the token expires (%s)', async (path) => {
    const login = await api.login();
    const stream = await OpenStream.open(api, path, login.access);
    api.clock.advance('14m 59s');
    expect(api.get(TokenWatch).size).toBe(1);
    expect(stream.ended).toBe(false);
    api.clock.advance('1s');
    await stream.end();
    expect(api.get(TokenWatch).size).toBe(0);
  });

  it('tells a handler with a signal why', async () => {
    const login = await api.login();
    const stream = await OpenStream.open(api, 'file', login.access);
    await api.request('POST', '/auth/logout-all', login.access).expect(204);
    await stream.end();
    expect(stream.text).toBe('firstToken has been revoked');
  });

  it.each(['disabled', 'deleted'])('ends when the account is %s', async (change) => {
    const login = await api.login();
    const admin = await api.as(`admin-${change}`).role('admin').fresh();
    const stream = await OpenStream.open(api, 'undeclared', login.access);
    const path = `/admin/users/${login.user.id}`;
    if (change === 'disabled') await admin.patch(path).send({ disabled: true }).expect(200);
    else await admin.delete(path).expect(204);
    await stream.end();
  });

  it('ends without revocation check at the expiry alone', async () => {
    const login = await api.login();
    const stream = await OpenStream.open(api, 'unchecked', login.access);
    await api.request('POST', '/auth/logout', login.access).expect(204);
    await stream.staysOpen();
    api.clock.advance('15m');
    await stream.end();
  });

  it.each([
    ['public', 'with a token', true],
    ['public', 'without one', false],
    ['optional', 'without a token', false],
  ])('stays open if it is %s, %s', async (path, _title, withToken) => {
    const login = await api.login();
    const stream = await OpenStream.open(api, path, withToken ? login.access : undefined);
    await api.request('POST', '/auth/logout', login.access).expect(204);
    api.clock.advance('15m');
    await stream.staysOpen();
    stream.close();
  });

  it('is not begun with a token that is refused', async () => {
    const login = await api.login();
    await api.request('POST', '/auth/logout', login.access).expect(204);
    expectError(await api.request('GET', '/streams/undeclared', login.access), 401, 'token_revoked');
    expectError(await api.request('GET', '/streams/fresh'), 401, 'token_missing');
  });

  it('leaves nothing behind when its client goes', async () => {
    const login = await api.login();
    const streams = await Promise.all(
      ['undeclared', 'file'].map(async (path) => OpenStream.open(api, path, login.access)),
    );
    expect(api.get(TokenWatch).size).toBe(1);
    for (const stream of streams) stream.close();
    await until(1_000, async () => api.get(TokenWatch).size === 0);
  });

  it('never aborts the signal of an anonymous request', async () => {
    const { body } = await api.request('GET', '/streams/optional-file').expect(200);
    expect(body).toEqual({ aborted: false });
  });
});
