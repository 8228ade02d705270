import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Response } from 'supertest';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { AccountAdmin, type ErrorCode } from '../../../src/auth/index.js';
import { Database } from '../../../src/database/index.js';
import { PasswordHasher } from '../../../src/passwords/password-hasher.js';
import { claimsOf } from '../../support/claims.js';
import { createTestApp, type TestApp, type TestLogin } from '../../support/create-test-app.js';
import { createTestDatabase, describeEachEngine, describePostgres } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { TestClock } from '../../../src/testing/index.js';
import { forge } from '../../support/token-kinds.js';

/** LONG=1 in the environment makes ten times as many rounds and interleavings. */
const TIMES = process.env['LONG'] === '1' ? 10 : 1;
const ROUNDS = 20 * TIMES;
const INTERLEAVINGS = 25 * TIMES;
const TIMEOUT = 60_000 * TIMES;

type Tokens = Pick<TokenPairDto, 'access_token' | 'refresh_token'>;

const sessionOf = (token: string) => claimsOf(token).sid;
const pairOf = (response: Response) => response.body as TokenPairDto;
const generationIn = ({ refresh_token }: Tokens) => Number(claimsOf(refresh_token).gen);
const errorCodeOf = ({ body }: Response) => (body as { errorCode?: string }).errorCode;

describeEachEngine('parallel refreshes', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  const generationOf = async (login: TestLogin) =>
    (
      await api
        .get(Database)
        .selectFrom('sessions')
        .select('generation')
        .where('id', '=', sessionOf(login.refresh))
        .executeTakeFirstOrThrow()
    ).generation;

  it.each([
    ['without keys', () => undefined],
    ['with one key', (round: number) => `key-${round}`],
  ])(
    `advance the generation by one, 50 at a time %s, in ${ROUNDS} rounds on one session`,
    async (_, keyOf) => {
      const login = await api.login();
      for (let round = 1; round <= ROUNDS; round++) {
        const attempts = Array.from({ length: 50 }, () => login.tryRefresh(login.refresh, keyOf(round)));
        const answers = await Promise.all(attempts);
        expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
        const successors = new Set(answers.map((answer) => pairOf(answer).refresh_token));
        expect(successors.size).toBe(1);
        expect(await generationOf(login)).toBe(round);
        // The next round shows that it works.
        [login.refresh = ''] = successors;
      }
      await login.rotate();
    },
    TIMEOUT,
  );

  it('under two keys give away that two parties hold the token: its session ends', async () => {
    for (let round = 0; round < 5; round++) {
      const login = await api.login();
      const keys = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'one' : 'other'));
      const answers = await Promise.all(keys.map((key) => login.tryRefresh(login.refresh, key)));
      const given = answers.filter(({ status }) => status === 200);
      expect(new Set(given.map((answer) => pairOf(answer).refresh_token)).size).toBe(1);
      const refusals = new Set(answers.filter(({ status }) => status === 401).map(errorCodeOf));
      expect(refusals).toContain('refresh_token_reused');
      expect(given.length + answers.filter(({ status }) => status === 401).length).toBe(20);
      for (const { access_token, refresh_token } of given.map(pairOf)) {
        expectError(await login.tryRefresh(refresh_token), 401, 'token_revoked');
        expectError(await api.request('GET', '/profile', access_token), 401, 'token_revoked');
      }
    }
  });
});

describePostgres('parallel refreshes at three instances', () => {
  it(
    `advance the generation by one, 51 at a time, in ${ROUNDS} rounds on one session`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'freshgate-races-'));
      const database = await createTestDatabase('postgres');
      const shared = { database, keysFile: join(folder, 'keys.json'), clock: new TestClock() };
      const instances: TestApp[] = [];
      try {
        for (let i = 0; i < 3; i++) instances.push(await createTestApp(shared));
        const login = await instances[0]!.login();
        for (let round = 1; round <= ROUNDS; round++) {
          const attempts = Array.from({ length: 51 }, (_, i) =>
            instances[i % 3]!.request('POST', '/auth/refresh', login.refresh),
          );
          const answers = await Promise.all(attempts);
          expect(answers.map(({ status }) => status)).toEqual(Array(51).fill(200));
          const successors = new Set(answers.map((answer) => pairOf(answer).refresh_token));
          expect(successors.size).toBe(1);
          [login.refresh = ''] = successors;
          expect(claimsOf(login.refresh)).toMatchObject({ gen: round });
        }
        await login.rotate();
      } finally {
        await Promise.all(instances.map((instance) => instance.close()));
        await database.drop();
        rmSync(folder, { recursive: true });
      }
    },
    TIMEOUT,
  );
});

describeEachEngine('a thief with a copy of the refresh token', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  const expectCaught = async (answer: Response, login: TestLogin, others: TokenPairDto[]) => {
    expectError(answer, 401, 'refresh_token_reused');
    const pairs = [...others, { access_token: login.access, refresh_token: login.refresh }];
    for (const { access_token, refresh_token } of pairs) {
      expectError(await login.tryRefresh(refresh_token), 401, 'token_revoked');
      expectError(await api.request('GET', '/profile', access_token), 401, 'token_revoked');
    }
    const events = await api
      .get(Database)
      .selectFrom('audit_events')
      .select(['event', 'outcome'])
      .where('session_id', '=', sessionOf(login.refresh))
      .where('event', '=', 'authn_token_reuse')
      .execute();
    expect(events).toEqual([{ event: 'authn_token_reuse', outcome: 'fail' }]);
  };

  describe.each([
    ['no key', undefined],
    ['a key of its own', 'thief'],
  ])('and %s', (_, thiefsKey) => {
    it.each([0, 1, 5])(
      'is caught at once when it comes after a victim with keys, who has rotated %i times before',
      async (before) => {
        const login = await api.login();
        for (let i = 0; i < before; i++) await login.rotate(`victim-${i}`);
        const stolen = login.refresh;
        await login.rotate('victim');
        await expectCaught(await login.tryRefresh(stolen, thiefsKey), login, []);
      },
    );

    it('is caught by the victim’s next refresh when it comes first', async () => {
      const login = await api.login();
      const loot = pairOf(await login.tryRefresh(login.refresh, thiefsKey).expect(200));
      await expectCaught(await login.tryRefresh(login.refresh, 'victim'), login, [loot]);
    });

    it('cannot take turns with a victim with keys: the second use of any token ends the session', async () => {
      const login = await api.login();
      const other = await login.user.login();
      let turns = 0;
      let answer: Response;
      let stolen = login.refresh;
      let loot: TokenPairDto;
      do {
        // The thief waits for the victim's answer, copies it, and uses it before the victim does.
        await login.rotate(`victim-${turns}`);
        stolen = login.refresh;
        loot = pairOf(await login.tryRefresh(stolen, thiefsKey).expect(200));
        answer = await login.tryRefresh(login.refresh, `victim-${++turns}`);
      } while (answer.status === 200 && turns < 5);
      expect(turns).toBe(1);
      await expectCaught(answer, login, [loot]);
      await other.rotate();
    });
  });

  it('keeps in step with a victim without keys only until one of them is two ahead', async () => {
    const login = await api.login();
    const shared = async (token: string) => pairOf(await login.tryRefresh(token).expect(200));
    for (let step = 0; step < 3; step++) {
      const stolen = login.refresh;
      await login.rotate();
      expect((await shared(stolen)).refresh_token).toBe(login.refresh);
      api.clock.advance('5s');
    }
    const stolen = login.refresh;
    await login.rotate();
    await login.rotate();
    await expectCaught(await login.tryRefresh(stolen), login, []);
  });

  it('keeps in step with a victim without keys only within the grace', async () => {
    const login = await api.login();
    const stolen = login.refresh;
    await login.rotate();
    api.clock.advance('11s');
    await expectCaught(await login.tryRefresh(stolen), login, []);
  });
});

/** Milliseconds that a password hash takes in production. */
const HASH_TIME = 20;

/** Passwords are checked as slowly as in production, so that something can happen meanwhile; without its CPU time. */
function slowHashes(api: TestApp): void {
  const hasher = api.get(PasswordHasher);
  const [hash, verify] = [hasher.hash.bind(hasher), hasher.verify.bind(hasher)];
  hasher.hash = async (...args) => pause(HASH_TIME).then(() => hash(...args));
  hasher.verify = async (...args) => pause(HASH_TIME).then(() => verify(...args));
}

describeEachEngine('the end of a session, amid other requests', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    slowHashes(api);
  });
  afterAll(() => api.close());

  /** Of a request that takes about as long as a password hash, before, amid or after. */
  const LONGEST_DELAY = 30;
  const soon = async <T>(send: () => PromiseLike<T>, longest = LONGEST_DELAY) => {
    await pause(Math.random() * longest);
    return send();
  };

  /** What a round did: the answers of the racing requests, and every token pair that it gave or had given. */
  const race = async (
    mine: TestLogin,
    other: TestLogin,
    end: () => PromiseLike<unknown>,
    onMine: 'all' | 'one',
    spread: number,
  ) => {
    const { username, password } = mine.user;
    const refresh = (login: TestLogin) => () => login.tryRefresh(login.refresh);
    const reauthenticate = (login: TestLogin) => () => login.tryReauthenticate(login.refresh, password);
    const requests = [
      ...(onMine === 'all'
        ? [refresh(mine), refresh(mine), reauthenticate(mine)]
        : [Math.random() < 0.5 ? refresh(mine) : reauthenticate(mine)]),
      refresh(other),
      reauthenticate(other),
      () => api.request('POST', '/auth/login').send({ username, password }),
    ];
    const [ending, answers] = await Promise.all([
      soon(end),
      Promise.all(requests.map((send) => soon(send, spread))),
    ]);
    const given = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) {
      expectError(answer, 401, errorCodeOf(answer) as ErrorCode);
      expect(['token_revoked', 'invalid_credentials']).toContain(errorCodeOf(answer));
    }
    const pairs = [
      { access_token: mine.access, refresh_token: mine.refresh },
      { access_token: other.access, refresh_token: other.refresh },
      ...given.map(pairOf),
    ];
    return { ending, given: given.length, refused: refused.length, pairs };
  };

  const expectDead = async (pairs: Tokens[]) => {
    const answers = await Promise.all(
      pairs.flatMap(({ access_token, refresh_token }) => [
        api.request('GET', '/profile', access_token),
        api.request('POST', '/auth/refresh', refresh_token),
      ]),
    );
    expect(answers.map(errorCodeOf)).toEqual(answers.map(() => 'token_revoked'));
  };

  /** All pairs are of one session: every access token works, and the newest refresh token. */
  const expectAlive = async (pairs: Tokens[]) => {
    for (const { access_token } of pairs) await api.request('GET', '/profile', access_token).expect(200);
    const newest = pairs.toSorted((a, b) => generationIn(a) - generationIn(b)).at(-1);
    await api.request('POST', '/auth/refresh', newest?.refresh_token).expect(200);
  };

  const isOf = (login: TestLogin) => {
    const id = sessionOf(login.access);
    return ({ access_token }: Tokens) => sessionOf(access_token) === id;
  };

  /** Each time a new user with two sessions, one of which asks for the end. */
  const interleave = async (
    onMine: 'all' | 'one',
    end: (mine: TestLogin) => PromiseLike<unknown>,
    judge: (mine: TestLogin, other: TestLogin, pairs: Tokens[], ending: unknown) => Promise<void>,
    { spread = LONGEST_DELAY } = {},
  ) => {
    let [given, refused] = [0, 0];
    for (let i = 0; i < INTERLEAVINGS; i++) {
      const mine = await api.login();
      const other = await mine.user.login();
      const raced = await race(mine, other, () => end(mine), onMine, spread);
      await judge(mine, other, raced.pairs, raced.ending);
      given += raced.given;
      refused += raced.refused;
    }
    // Some came before the end and some after: it was a race.
    expect(given).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  };

  it(
    `by logout leaves no token of it behind, and every other session alive, ${INTERLEAVINGS} times`,
    () =>
      interleave(
        'all',
        (mine) => api.request('POST', '/auth/logout', mine.refresh).expect(204),
        async (mine, other, pairs) => {
          await expectDead(pairs.filter(isOf(mine)));
          const living = pairs.filter((pair) => !isOf(mine)(pair));
          await expectAlive(living.filter(isOf(other)));
          const opened = living.filter((pair) => !isOf(other)(pair));
          expect(opened).toHaveLength(1);
          await expectAlive(opened);
        },
      ),
    TIMEOUT,
  );

  it(
    `by logout-all leaves no token of any behind; a login meanwhile came before or after, ${INTERLEAVINGS} times`,
    () =>
      interleave(
        'all',
        (mine) => api.request('POST', '/auth/logout-all', mine.access).expect(204),
        async (mine, other, pairs) => {
          const isOld = (pair: Tokens) => isOf(mine)(pair) || isOf(other)(pair);
          await expectDead(pairs.filter(isOld));
          const opened = pairs.filter((pair) => !isOld(pair));
          expect(opened).toHaveLength(1);
          const { status } = await api.request('GET', '/profile', opened[0]?.access_token);
          await (status === 200 ? expectAlive(opened) : expectDead(opened));
        },
      ),
    TIMEOUT,
  );

  it(
    `by a password change leaves the tokens that came with the change alone to work, ${INTERLEAVINGS} times`,
    () =>
      interleave(
        'one',
        (mine) =>
          api
            .request('PUT', '/auth/password', mine.access)
            .send({ current_password: mine.user.password, new_password: 'lunar-dachshund' })
            .expect(200),
        async (mine, _, pairs, ending) => {
          await expectDead(pairs);
          const renewed = pairOf(ending as Response);
          await expectAlive([renewed]);
          for (const { refresh_token } of pairs)
            expectError(await mine.tryRefresh(refresh_token), 401, 'token_revoked');
          await expectAlive([renewed]);
        },
        // Two hashes long, behind those of the others.
        { spread: 5 * LONGEST_DELAY },
      ),
    TIMEOUT,
  );

  it(
    `by deletion of the account leaves no token of any behind, ${INTERLEAVINGS} times`,
    () =>
      interleave(
        'all',
        (mine) => api.request('DELETE', '/profile', mine.access).expect(204),
        async (_mine, _other, pairs) => expectDead(pairs),
      ),
    TIMEOUT,
  );

  it(
    `by an operator who disables the account leaves no token of any behind, ${INTERLEAVINGS} times`,
    () =>
      interleave(
        'all',
        (mine) => api.get(AccountAdmin).disable(mine.user.username),
        async (_mine, _other, pairs) => expectDead(pairs),
      ),
    TIMEOUT,
  );
});

describeEachEngine('a token that fails verification', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  const stored = async () => {
    const db = api.get(Database);
    return {
      sessions: await db.selectFrom('sessions').selectAll().orderBy('id').execute(),
      auditEvents: await db.selectFrom('audit_events').selectAll().orderBy('id').execute(),
    };
  };

  /** At every route that takes a refresh token and changes something. */
  const presentEverywhere = async (login: TestLogin, token: string) => [
    await login.tryRefresh(token),
    await login.tryRefresh(token, 'a-key'),
    await login.tryReauthenticate(token, login.user.password),
    await api.request('POST', '/auth/logout', token),
  ];

  /** A session two generations on, so that the genuine first token would be reuse. */
  const rotatedTwice = async () => {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate();
    await login.rotate('key');
    return { login, first };
  };

  it('for one flipped bit, wherever it is, revokes nothing and writes nothing', async () => {
    const { login, first } = await rotatedTwice();
    const before = await stored();
    const flips = fc.record({
      token: fc.constantFrom(first, login.refresh),
      segment: fc.constantFrom(0, 1, 2),
      byte: fc.nat(),
      bit: fc.nat({ max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(flips, async ({ token, segment, byte, bit }) => {
        const segments = token.split('.').map((text) => Buffer.from(text, 'base64url'));
        const bytes = segments[segment]!;
        bytes[byte % bytes.length]! ^= 1 << bit;
        const flipped = segments.map((each) => each.toString('base64url')).join('.');
        for (const answer of await presentEverywhere(login, flipped))
          expectError(answer, 401, 'token_invalid');
      }),
    );
    expect(await stored()).toEqual(before);
    await login.rotate();
  });

  it.each<[string, ErrorCode, (login: TestLogin, first: string) => string]>([
    ['garbage', 'token_invalid', () => 'not.a.token'],
    ['cut short', 'token_invalid', (_, first) => first.slice(0, -1)],
    ['without its signature', 'token_invalid', (_, first) => first.slice(0, first.lastIndexOf('.') + 1)],
    ['said twice', 'token_invalid', (_, first) => `${first}.${first}`],
    [
      'of another generation’s signature',
      'token_invalid',
      (login, first) => [...first.split('.').slice(0, 2), login.refresh.split('.')[2]].join('.'),
    ],
    [
      'of a stranger’s issuer',
      'token_invalid',
      (login) => forge(api, login.refresh, { iss: 'somebody-else', gen: 0 }),
    ],
    ['without a generation', 'token_invalid', (login) => forge(api, login.refresh, { gen: undefined })],
    ['with half a generation', 'token_invalid', (login) => forge(api, login.refresh, { gen: 0.5 })],
  ])('for being %s revokes nothing and writes nothing', async (_, errorCode, make) => {
    const { login, first } = await rotatedTwice();
    const token = make(login, first);
    const before = await stored();
    for (const answer of await presentEverywhere(login, token)) expectError(answer, 401, errorCode);
    expect(await stored()).toEqual(before);
    await login.rotate();
  });

  it('for being an access token or having expired revokes nothing and writes nothing', async () => {
    const { login, first } = await rotatedTwice();
    const expired = forge(api, first, { exp: api.clock.now() / 1000 });
    const before = await stored();
    for (const [token, errorCode] of [
      [login.access, 'token_wrong_type'],
      [expired, 'token_expired'],
    ] as const) {
      expectError(await login.tryRefresh(token), 401, errorCode);
      expectError(await login.tryReauthenticate(token, login.user.password), 401, errorCode);
    }
    expect(await stored()).toEqual(before);
    await login.rotate();
  });

  it('writes less than a failed login (an audit event) and than the reuse of a genuine token', async () => {
    const { login, first } = await rotatedTwice();
    const before = await stored();
    const { username } = login.user;
    await api.request('POST', '/auth/login').send({ username, password: 'wrong' }).expect(401);
    const failed = await stored();
    expect(failed.sessions).toEqual(before.sessions);
    expect(failed.auditEvents).toHaveLength(before.auditEvents.length + 1);
    expect(failed.auditEvents.at(-1)).toMatchObject({ event: 'authn_login_fail', outcome: 'fail' });
    expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
    const reused = await stored();
    expect(reused.sessions).not.toEqual(before.sessions);
    expect(reused.auditEvents.at(-1)).toMatchObject({ event: 'authn_token_reuse', outcome: 'fail' });
  });
});
