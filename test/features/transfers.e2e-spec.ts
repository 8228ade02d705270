import { type OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '../../src/database/index.js';
import { type TransferListDto } from '../../src/features/transfers/transfers.dto.js';
import { expectChallenge } from '../../src/testing/index.js';
import { documentedErrors } from '../support/documented-errors.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { openSession } from '../support/open-session.js';

describeEachEngine('transfers', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine, env: { OPENAPI: 'on', TRANSFERS_OPENING_BALANCE: '1000' } });
  });
  afterAll(() => api.close());

  const send = ({ access }: Pick<TestLogin, 'access'>, to: string, amount: unknown, key?: string) => {
    const test = api.request('POST', '/transfers', access).send({ to, amount });
    return key === undefined ? test : test.set('Idempotency-Key', key);
  };
  const list = async (login: TestLogin, query = '') => {
    const { body } = await api.request('GET', `/transfers${query}`, login.access).expect(200);
    return body as TransferListDto;
  };

  const freshTokensOf = ({ user }: TestLogin, count: number) =>
    Promise.all(Array.from({ length: count }, async () => (await openSession(api, user.id)).access));

  it('move money, and show it to both sides, newest first', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    expect(await list(cosmo)).toEqual({ balance: 1000, items: [], next_cursor: null });
    const { body } = await send(cosmo, laika.user.username.toUpperCase(), 250).expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      direction: 'out',
      counterparty: laika.user.username,
      amount: 250,
      created_at: new Date(api.clock.now()).toISOString(),
    });
    await send(laika, cosmo.user.username, 50).expect(201);
    expect(await list(cosmo)).toMatchObject({
      balance: 800,
      items: [
        { direction: 'in', amount: 50, counterparty: laika.user.username },
        { direction: 'out', amount: 250 },
      ],
    });
    expect(await list(laika)).toMatchObject({
      balance: 1200,
      items: [{ direction: 'out' }, { direction: 'in' }],
    });
  });

  it('demand a fresh token, once; a refused transfer does not spend it', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    expectError(await send(cosmo, 'nobody-there', 1), 404, 'not_found');
    expectError(await send(cosmo, laika.user.username, 1001), 409, 'insufficient_funds');
    expectError(await send(cosmo, 'nobody-there', 1001), 409, 'insufficient_funds');
    const self = await send(cosmo, cosmo.user.username, 1);
    expectError(self, 400, 'validation_failed');
    expect(self.body.errors).toEqual([{ field: 'to', messages: ['must be another user'] }]);
    await send(cosmo, laika.user.username, 1).expect(201);
    expectChallenge(await send(cosmo, laika.user.username, 1), { maxAge: '15m' });
    expect((await list(cosmo)).balance).toBe(999);
  });

  it.each([0, -1, 1.5, 1e12 + 1, '5', null, [5], {}])('refuse an amount of %p', async (amount) => {
    const cosmo = await api.login();
    const response = await send(cosmo, 'somebody', amount);
    expectError(response, 400, 'validation_failed');
    expect(response.body.errors).toEqual([{ field: 'amount', messages: [expect.any(String)] }]);
  });

  it('answer a receiver’s name that cannot exist like one that does not', async () => {
    const cosmo = await api.login();
    for (const to of ['x', 'a b', '\u0000', "' or 1=1"])
      expectError(await send(cosmo, to, 1), 404, 'not_found');
  });

  it('are made once for one key, also when the same request comes 50 times at once', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    const tokens = await freshTokensOf(cosmo, 50);
    // The money is enough for one of them.
    const answers = await Promise.all(
      tokens.map((access) => send({ access }, laika.user.username, 600, 'rent')),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(201));
    expect(new Set(answers.map(({ body }) => (body as { id: string }).id)).size).toBe(1);
    expect(await list(cosmo)).toMatchObject({ balance: 400, items: [{ amount: 600 }] });
    await send(laika, cosmo.user.username, 1, 'rent').expect(201);
  });

  it('are made once for one key when 50 different requests come at once', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    const tokens = await freshTokensOf(cosmo, 50);
    const answers = await Promise.all(
      tokens.map((access, i) => send({ access }, laika.user.username, i + 1, 'rent')),
    );
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status !== 201);
    expect([made.length, refused.length]).toEqual([1, 49]);
    for (const response of refused) expectError(response, 422, 'idempotency_key_reused');
    expect((await list(cosmo)).items).toEqual(made.map(({ body }) => body as unknown));
  });

  it('are refused for a used key with another receiver or amount, which does not use the token up', async () => {
    const [cosmo, laika, strelka] = [await api.login(), await api.login(), await api.login()];
    const { body } = await send(cosmo, laika.user.username, 600, 'rent').expect(201);
    await cosmo.reauthenticate();
    for (const [to, amount] of [
      [laika.user.username, 601],
      [strelka.user.username, 600],
      ['nobody-there', 600],
      [cosmo.user.username, 600],
      // More than is left.
      [laika.user.username, 1e12],
    ] as const)
      expectError(await send(cosmo, to, amount, 'rent'), 422, 'idempotency_key_reused');
    expect(await list(cosmo)).toMatchObject({ balance: 400, items: [{ id: body.id }] });
    // The money is not enough for a second one, and the receiver is gone: it is the first one all the same.
    await api.request('DELETE', '/profile', laika.access).expect(204);
    const again = await send(cosmo, laika.user.username.toUpperCase(), 600, 'rent').expect(201);
    expect(again.body).toEqual({ ...body, counterparty: null });
  });

  it('never overdraw under parallel transfers, and neither make nor lose money', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    const tokens = await Promise.all(
      Array.from({ length: 12 }, async () => (await cosmo.user.login()).access),
    );
    const back = await Promise.all(Array.from({ length: 6 }, async () => (await laika.user.login()).access));
    const post = (token: string, to: TestLogin, amount: number) =>
      api.request('POST', '/transfers', token).send({ to: to.user.username, amount });
    const answers = await Promise.all([
      ...tokens.map((token) => post(token, laika, 150)),
      ...back.map((token) => post(token, cosmo, 10)),
    ]);
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    const sent = answers.slice(0, 12).filter(({ status }) => status === 201).length;
    const [a, b] = [await list(cosmo), await list(laika)];
    expect([a.balance, b.balance]).toEqual([1000 - sent * 150 + 60, 1000 + sent * 150 - 60]);
    expect(a.balance).toBeGreaterThanOrEqual(0);
  });

  describe('in pages', () => {
    it('give each transfer once', async () => {
      const [cosmo, laika] = [await api.login(), await api.login()];
      for (let amount = 1; amount <= 5; amount++) {
        await send(cosmo, laika.user.username, amount).expect(201);
        await cosmo.reauthenticate();
      }
      const seen: number[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page = await list(cosmo, `?limit=2${cursor && `&cursor=${cursor}`}`);
        seen.push(...page.items.map(({ amount }) => amount));
        cursor = page.next_cursor;
      }
      expect(seen).toEqual([5, 4, 3, 2, 1]);
    });

    it.each(['limit=0', 'limit=101', 'limit=x', 'limit=1&limit=2', 'cursor=x', 'cursor=%00', 'page=2'])(
      'refuse ?%s, and say which parameter is wrong',
      async (query) => {
        const cosmo = await api.login();
        const response = await api.request('GET', `/transfers?${query}`, cosmo.access);
        expectError(response, 400, 'validation_failed');
        expect(response.body.errors).toMatchObject([{ field: query.split('=')[0] }]);
      },
    );
  });

  it('keep the record of a counterparty that was deleted, without its name', async () => {
    const [cosmo, laika] = [await api.login(), await api.login()];
    await send(cosmo, laika.user.username, 5).expect(201);
    await api.request('DELETE', '/profile', laika.access).expect(204);
    expect(await list(cosmo)).toMatchObject({
      balance: 995,
      items: [{ counterparty: null, direction: 'out' }],
    });
    const { count } = await api
      .get(Database)
      .selectFrom('balances')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('user_id', '=', laika.user.id)
      .executeTakeFirstOrThrow();
    expect(count).toBe(0);
  });

  it('are described in the OpenAPI document', async () => {
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    const { get, post } = (body as OpenAPIObject).paths['/transfers'] ?? {};
    expect([get?.operationId, post?.operationId]).toEqual(['listTransfers', 'createTransfer']);
    expect(post?.description).toContain('A success uses the token up.');
    expect([...(documentedErrors(body as OpenAPIObject).get('POST /transfers') ?? [])]).toEqual([
      '400 validation_failed',
      '401 token_missing',
      '401 token_invalid',
      '401 token_expired',
      '401 token_wrong_type',
      '401 token_revoked',
      '401 fresh_token_required',
      '404 not_found',
      '409 insufficient_funds',
      '413 payload_too_large',
      '415 unsupported_media_type',
      '422 idempotency_key_reused',
      '503 overloaded',
      '503 database_unavailable',
    ]);
  });
});

describe('a sender whose account is deleted during a transfer', () => {
  it('gets token_revoked, and not that the receiver is unknown', async () => {
    const api = await createTestApp();
    try {
      const receiver = await api.user();
      const sender = await api.login();
      const other = await sender.user.login();
      const [, response] = await Promise.all([
        api.request('DELETE', '/profile', other.access),
        api.request('POST', '/transfers', sender.access).send({ to: receiver.username, amount: 1 }),
      ]);
      expect([201, 401]).toContain(response.status);
    } finally {
      await api.close();
    }
  });
});
