import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Post } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { Public } from '../../src/auth/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachAdapter } from '../support/adapters.js';
import { portOf, sendRaw } from '../support/raw-http.js';

const NO_BODY: [name: string, headers: [string, string][], body: string][] = [
  ['chunked', [['Transfer-Encoding', 'chunked']], '0\r\n\r\n'],
  ['chunked and of a type', [['Transfer-Encoding', 'chunked'], ['Content-Type', 'text/plain']], '0\r\n\r\n'],
  ['chunked JSON', [['Transfer-Encoding', 'chunked'], ['Content-Type', 'application/json']], '0\r\n\r\n'],
  ['a type and length 0', [['Content-Type', 'text/plain'], ['Content-Length', '0']], ''],
  ['a form of length 0', [['Content-Type', 'application/x-www-form-urlencoded'], ['Content-Length', '0']], ''],
  ['JSON of length 0', [['Content-Type', 'application/json'], ['Content-Length', '0']], ''],
]; // prettier-ignore

class Author {
  @IsString()
  readonly name!: string;
}

class Comment {
  @IsString()
  readonly text!: string;

  @Type(() => Author)
  @ValidateNested()
  @IsOptional()
  readonly author?: Author;
}

/** A feature of a team, open to everybody. */
@Controller('comments')
class CommentsController {
  @Public()
  @Post()
  add(@Body() { text }: Comment): object {
    return { text };
  }
}

describeEachAdapter('a request without a body', ({ adapter }) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ adapter });
  });
  afterAll(() => api.close());

  it.each(NO_BODY)('has none, and logs out and refreshes: %s', async (_, headers, body) => {
    const login = await api.login();
    const send = (path: string, token: string) =>
      sendRaw(portOf(api.app), {
        method: 'POST',
        path,
        headers: [...headers, ['Authorization', `Bearer ${token}`]],
        body,
      });
    expect((await send('/auth/refresh', login.refresh)).status).toBe(200);
    expect((await send('/auth/logout', login.access)).status).toBe(204);
    expect((await api.request('GET', '/profile', login.access)).status).toBe(401);
  });
});

describe('a body that is refused', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ adapter: 'fastify', controllers: [CommentsController] });
  });
  afterAll(() => api.close());

  const members = (count: number, value = '1') =>
    `{${Array.from({ length: count }, (_, i) => `"m${i}":${value}`).join()}}`;

  it.each([
    ['60 kB of members', '/auth/login', members(6_500), 413],
    ['8 kB of members', '/auth/login', members(900), 400],
    ['64 members that are unknown', '/auth/login', members(64), 400],
    ['8 kB of lists', '/auth/login', `{"username":${`[${'[],'.repeat(60)}[]],`.repeat(40)}1}`, 400],
    ['60 kB of members, elsewhere', '/nope', members(6_500), 400],
    ['1,000 members that a team does not know', '/comments', members(1_000), 400],
    ['1,000 members in each of 7 that it does not know', '/comments', members(7, members(1_000)), 400],
    ['1,000 lists of lists', '/comments', members(1_000, `[${'[],'.repeat(16)}[]]`), 400],
    ['60 kB of members in place of text', '/comments', `{"text":${members(7, members(1_000))}}`, 400],
    ['400 members of a nested DTO', '/comments', `{"text":"a","author":${members(400)}}`, 400],
  ])('costs less than 20 ms of CPU, with its client: %s', async (name, path, body, status) => {
    const send = () => api.request('POST', path).set('Content-Type', 'application/json').send(body);
    expect((await send()).status).toBe(status);
    const began = process.cpuUsage();
    for (let i = 0; i < 20; i++) await send();
    const { user, system } = process.cpuUsage(began);
    const milliseconds = (user + system) / 1_000 / 20;
    process.stdout.write(
      `  ${body.length} bytes to ${path}, ${name}: ${milliseconds.toFixed(1)} ms of CPU\n`,
    );
    // The client is in this process too. It was 110 to 150 ms before bodies were bounded.
    expect(milliseconds).toBeLessThan(20);
  });
});
