import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import fc from 'fast-check';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Response } from 'supertest';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { Refresh } from '../../../src/auth/index.js';
import { Database } from '../../../src/database/index.js';
import { claimsOf } from '../../support/claims.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { TestClock } from '../../../src/testing/index.js';
import {
  AccountModel,
  type AccessToken,
  type Answer,
  type Attempt,
  type ModelSession,
  type Outcome,
  OUTCOMES,
  type RefreshToken,
} from './rotation-model.js';

/** LONG=1 in the environment makes ten times as many. */
const TIMES = process.env['LONG'] === '1' ? 10 : 1;
const RUNS = { sqlite: 30 * TIMES, postgres: 10 * TIMES };

/** Shows whether a refresh token is of the live generation, and leaves it so. */
@Controller('which-lives')
class WhichLives {
  @Refresh()
  @Get()
  show() {
    return {};
  }
}

/** The server, and what a restart leaves: database, keys and clock. */
class Server {
  readonly clock = new TestClock();
  readonly met = new Set<Outcome>();
  restarts = 0;
  private running: TestApp | undefined;

  constructor(
    private readonly folder: string,
    private database: TestDatabase,
  ) {}

  get api(): TestApp {
    if (!this.running) throw new Error('the server is down');
    return this.running;
  }

  async start(): Promise<void> {
    const { database, clock } = this;
    const keysFile = join(this.folder, 'keys.json');
    this.running = await createTestApp({ database, keysFile, clock, controllers: [WhichLives] });
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.close();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.restarts++;
    // A process owns its SQLite file until it ends, and this one does not end: it goes on with a copy.
    if (this.database.url.startsWith('file:')) {
      const next = sqliteFile(this.folder, this.restarts);
      copyFileSync(this.database.url.slice('file:'.length), next.url.slice('file:'.length));
      this.database = next;
    }
    await this.start();
  }
}

function sqliteFile(folder: string, restarts: number): TestDatabase {
  return { url: `file:${join(folder, `${restarts}.db`)}`, drop: async () => {} };
}

type Party = 'victim' | 'tab' | 'thief';
/** By how many generations behind the newest, or the one that the party holds. */
type Choice = 'held' | number;
/** The key that the victim keeps for this token, the one it kept for the token before, or a stranger's. */
type Key = 'own' | 'previous' | 'stranger' | 'none';
type Password = 'right' | 'wrong' | 'former';

const fromEnd = <T>(items: T[], index: number): T => items.at(-1 - (index % items.length))!;

function passwordOf(model: AccountModel, which: Password): string {
  if (which === 'right') return model.password;
  return (which === 'former' ? model.passwords.at(-2) : undefined) ?? 'never-the-password';
}

function keyOf({ generation }: RefreshToken, which: Key): string | null {
  if (which === 'none') return null;
  if (which === 'stranger') return 'stranger';
  return `key-of-${which === 'own' ? generation : generation - 1}`;
}

/** Holds an answer against the prediction, and remembers the tokens in it. */
function settle(model: AccountModel, server: Server, response: Response, answer: Answer): void {
  server.met.add(answer.outcome);
  if (answer.errorCode !== undefined) {
    expectError(response, answer.status, answer.errorCode);
    return;
  }
  expect(response.status).toBe(answer.status);
  if (!answer.pair) return;
  const { session, fresh } = answer.pair;
  const { access_token, refresh_token } = response.body as TokenPairDto;
  const [access, refresh] = [claimsOf(access_token), claimsOf(refresh_token)];
  session.id ||= refresh.sid;
  const authTime = session.authTime / 1000;
  const accessEnd = model.accessExpiry(session);
  const times = { iat: session.rotatedAt / 1000, exp: session.idleEnd / 1000 };
  expect(refresh).toMatchObject({ sid: session.id, gen: session.live, ...times });
  expect(access).toMatchObject({ sid: session.id, fresh, auth_time: authTime, exp: accessEnd / 1000 });

  const known = session.refresh.find(({ generation }) => generation === session.live);
  if (known) expect(refresh_token).toBe(known.token);
  else {
    const [generation, expiresAt] = [session.live, session.idleEnd];
    session.refresh.push({ token: refresh_token, session, generation, expiresAt });
  }
  session.access.push({
    token: access_token,
    session,
    fresh,
    authTime: session.authTime,
    expiresAt: accessEnd,
  });
}

/** What holds between any two commands, of this session and of all others of the user. */
async function expectInvariants(model: AccountModel, server: Server, depth: number): Promise<void> {
  const rows = await server.api
    .get(Database)
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .where('users.username', '=', model.username)
    .select(['sessions.id', 'generation', 'revoked_at'])
    .execute();
  for (const { id, live, ended, end } of model.sessions) {
    const row = rows.find((each) => each.id === id);
    // What is over may have been purged.
    if (row || !(ended || end <= model.now()))
      expect(row).toEqual({ id, generation: live, revoked_at: ended ? expect.any(Number) : null });
  }
  expect(rows.every(({ id }) => model.sessions.some((session) => session.id === id))).toBe(true);

  const shown = model.sessions.flatMap((session) => [
    ...session.refresh.slice(-depth).map((token) => expectRefreshShown(model, server, token)),
    ...session.access.slice(-depth).map((token) => expectAccessShown(model, server, token)),
  ]);
  await Promise.all(shown);
}

async function expectRefreshShown(model: AccountModel, server: Server, shown: RefreshToken): Promise<void> {
  const response = await server.api.request('GET', '/which-lives', shown.token);
  const { status, errorCode } = model.showRefresh(shown);
  expect(response).toMatchObject({ status, body: errorCode === undefined ? {} : { errorCode } });
}

async function expectAccessShown(model: AccountModel, server: Server, shown: AccessToken): Promise<void> {
  const response = await server.api.request('GET', '/profile', shown.token);
  const { status, errorCode } = model.showAccess(shown);
  const profile = { username: model.username, fresh: shown.fresh, auth_time: shown.authTime / 1000 };
  expect(response).toMatchObject({ status, body: errorCode === undefined ? profile : { errorCode } });
}

abstract class Step implements fc.AsyncCommand<AccountModel, Server> {
  check(_model: Readonly<AccountModel>): boolean {
    return true;
  }

  async run(model: AccountModel, server: Server): Promise<void> {
    await this.act(model, server);
    await expectInvariants(model, server, 2);
  }

  abstract act(model: AccountModel, server: Server): Promise<void>;
  abstract toString(): string;
}

class Login extends Step {
  constructor(private readonly which: Password) {
    super();
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    const { username } = model;
    const password = passwordOf(model, this.which);
    const response = await server.api.request('POST', '/auth/login').send({ username, password });
    settle(model, server, response, model.login(password));
  }

  override toString() {
    return `login(${this.which})`;
  }
}

async function attempt(model: AccountModel, server: Server, attempted: Attempt): Promise<Answer> {
  const { token, key, password } = attempted;
  const path = password === undefined ? '/auth/refresh' : '/auth/reauthenticate';
  const request = server.api.request('POST', path, token.token);
  if (key !== null) void request.set('Idempotency-Key', key);
  if (password !== undefined) void request.send({ password });
  const answer = model.present(attempted);
  settle(model, server, await request, answer);
  return answer;
}

interface Presentation {
  party: Party;
  /** The session, counted from the newest. */
  session: number;
  choice: Choice;
  key: Key;
  /** The server answers, and the client never hears it. */
  lost?: boolean;
  /** Makes it a reauthentication. */
  password?: Password;
}

class Present extends Step {
  constructor(private readonly as: Presentation) {
    super();
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    const session = fromEnd(model.sessions, this.as.session);
    const pocket = `${this.as.party} ${session.id}`;
    const token = this.tokenOf(session, model.pockets.get(pocket));
    const key = keyOf(token, this.as.key);
    const password = this.as.password && passwordOf(model, this.as.password);
    const attempted = { token, key, password };
    model.attempts.push(attempted);
    const answer = await attempt(model, server, attempted);
    const received = answer.pair && !this.as.lost;
    const live = session.refresh.find(({ generation }) => generation === session.live);
    model.pockets.set(pocket, received && live ? live : token);
  }

  private tokenOf({ refresh }: ModelSession, held: RefreshToken | undefined): RefreshToken {
    const { choice } = this.as;
    return choice === 'held' ? (held ?? fromEnd(refresh, 0)) : fromEnd(refresh, choice);
  }

  override toString() {
    const { party, session, choice, key, lost, password } = this.as;
    const how = [`session ${session}`, `token ${choice}`, `key ${key}`, password, lost && 'lost'];
    return `${party}(${how.filter(Boolean).join(', ')})`;
  }
}

/** One of the last attempts once more, word for word, as a client does whose answer was lost. */
class Retry extends Step {
  constructor(
    private readonly back: number,
    private readonly after: string,
  ) {
    super();
  }

  override check({ attempts }: Readonly<AccountModel>): boolean {
    return attempts.length > this.back;
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    server.clock.advance(this.after);
    await attempt(model, server, fromEnd(model.attempts, this.back));
  }

  override toString() {
    return `retry(${this.back} back, after ${this.after})`;
  }
}

class ChangePassword extends Step {
  constructor(
    private readonly session: number,
    private readonly token: number,
    private readonly which: Password,
  ) {
    super();
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    const token = fromEnd(fromEnd(model.sessions, this.session).access, this.token);
    const current_password = passwordOf(model, this.which);
    const new_password = `password-${model.passwords.length}`;
    const response = await server.api
      .request('PUT', '/auth/password', token.token)
      .send({ current_password, new_password });
    settle(model, server, response, model.changePassword(token, current_password, new_password));
  }

  override toString() {
    return `changePassword(session ${this.session}, token ${this.token}, ${this.which})`;
  }
}

class Logout extends Step {
  constructor(
    private readonly session: number,
    private readonly kind: 'refresh' | 'access',
    private readonly token: number,
  ) {
    super();
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    const session = fromEnd(model.sessions, this.session);
    const { token } = fromEnd<RefreshToken | AccessToken>(session[this.kind], this.token);
    const response = await server.api.request('POST', '/auth/logout', token);
    settle(model, server, response, model.logout(session));
  }

  override toString() {
    return `logout(session ${this.session}, ${this.kind} ${this.token})`;
  }
}

class Wait extends Step {
  constructor(private readonly duration: string) {
    super();
  }

  async act(_: AccountModel, server: Server): Promise<void> {
    server.clock.advance(this.duration);
  }

  override toString() {
    return `wait(${this.duration})`;
  }
}

/** Until a refresh token expires, or the second before. */
class WaitForExpiry extends Step {
  constructor(
    private readonly session: number,
    private readonly secondsBefore: 0 | 1,
  ) {
    super();
  }

  async act(model: AccountModel, server: Server): Promise<void> {
    const { expiresAt } = fromEnd(fromEnd(model.sessions, this.session).refresh, 0);
    server.clock.advance(Math.max(0, expiresAt - this.secondsBefore * 1000 - model.now()));
  }

  override toString() {
    return `waitForExpiry(session ${this.session}, ${this.secondsBefore} s before)`;
  }
}

class Restart extends Step {
  async act(_: AccountModel, server: Server): Promise<void> {
    await server.restart();
  }

  override toString() {
    return 'restart()';
  }
}

const session = fc.constantFrom(0, 0, 0, 1, 2);
const password = fc.constantFrom<Password>('right', 'right', 'wrong', 'former');
const lost = fc.boolean();
const victim = fc
  .record({
    party: fc.constant<Party>('victim'),
    session,
    choice: fc.constantFrom<Choice>('held', 'held', 'held', 0),
    key: fc.constantFrom<Key>('own', 'own', 'own', 'own', 'own', 'previous'),
    lost,
    password: fc.option(password, { nil: undefined, freq: 3 }),
  })
  .map((as) => new Present(as));
const tab = fc
  .record({
    party: fc.constant<Party>('tab'),
    session,
    choice: fc.constantFrom<Choice>('held', 0),
    key: fc.constant<Key>('none'),
    lost,
    password: fc.option(password, { nil: undefined, freq: 5 }),
  })
  .map((as) => new Present(as));
const thief = fc
  .record({
    party: fc.constant<Party>('thief'),
    session,
    choice: fc.oneof(fc.constant<Choice>('held'), fc.nat({ max: 3 })),
    key: fc.constantFrom<Key>('none', 'none', 'stranger', 'own', 'previous'),
    password: fc.option(password, { nil: undefined, freq: 5 }),
  })
  .map((as) => new Present(as));
const wait = fc.constantFrom('1s', '5s', '11s', '1h', '1d').map((duration) => new Wait(duration));
const retry = fc
  .tuple(fc.constantFrom(0, 0, 0, 1), fc.constantFrom('1s', '5s', '10s', '11s', '1h'))
  .map((args) => new Retry(...args));
const login = password.map((which) => new Login(which));
const token = fc.nat({ max: 3 });

// Repeated ones come up more often: a history of thefts and logouts alone would soon have nothing left to refresh.
const COMMANDS = [
  victim,
  victim,
  victim,
  victim,
  tab,
  tab,
  tab,
  retry,
  retry,
  thief,
  wait,
  wait,
  fc.tuple(session, fc.constantFrom<0 | 1>(0, 1)).map((args) => new WaitForExpiry(...args)),
  login,
  login,
  fc.tuple(session, fc.constantFrom(0, 0, 1, 2), password).map((args) => new ChangePassword(...args)),
  fc
    .tuple(session, fc.constantFrom<'refresh' | 'access'>('refresh', 'access'), token)
    .map((args) => new Logout(...args)),
  fc.constant(new Restart()),
];

const by = (party: Party, key: Key, more: Partial<Presentation> = {}) =>
  new Present({ party, session: 0, choice: 'held', key, ...more });

/** One history that goes through everything that the model tells apart. */
const TOUR = [
  by('victim', 'own', { lost: true }),
  new Wait('1d'),
  new Restart(),
  by('victim', 'own'),
  by('victim', 'previous'),
  by('tab', 'none', { choice: 0, lost: true }),
  new Retry(0, '5s'),
  new Retry(0, '5s'),
  new ChangePassword(0, 0, 'right'),
  by('victim', 'own', { choice: 0, password: 'wrong' }),
  by('victim', 'own', { choice: 0, password: 'right', lost: true }),
  new Retry(0, '1h'),
  new ChangePassword(0, 0, 'right'),
  by('thief', 'none', { choice: 1 }),
  by('victim', 'own', { choice: 0 }),
  new Login('former'),
  new Login('right'),
  by('thief', 'stranger', { session: 1, choice: 1 }),
  new Restart(),
  by('victim', 'own', { session: 1, choice: 0 }),
  new WaitForExpiry(0, 1),
  by('tab', 'none', { choice: 0 }),
  new Retry(0, '11s'),
  by('tab', 'none', { choice: 0 }),
  new Retry(0, '11s'),
  new Login('right'),
  new Login('right'),
  new ChangePassword(0, 0, 'right'),
  by('tab', 'none', { session: 1, choice: 0 }),
  new WaitForExpiry(0, 0),
  by('victim', 'own', { choice: 0 }),
  new Logout(0, 'access', 0),
];

describeEachEngine('rotation, held against a model', (engine) => {
  let folder: string;
  let database: TestDatabase;
  let server: Server;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'freshgate-model-'));
    database = engine === 'sqlite' ? sqliteFile(folder, 0) : await createTestDatabase(engine);
    server = new Server(folder, database);
    await server.start();
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A new user with one session does all that is commanded. */
  const follow = async (commands: Iterable<fc.AsyncCommand<AccountModel, Server>>) => {
    const { username, password: first } = await server.api.user();
    const model = new AccountModel(username, first, () => server.clock.now());
    await new Login('right').run(model, server);
    await fc.asyncModelRun(() => ({ model, real: server }), commands);
    await expectInvariants(model, server, Infinity);
  };

  it('answers one long history, with every outcome in it, as the model does', async () => {
    server.met.clear();
    const before = server.restarts;
    await follow(TOUR);
    expect(OUTCOMES.filter((outcome) => !server.met.has(outcome))).toEqual(['shown']);
    expect(server.restarts - before).toBe(2);
  });

  it(
    'answers any history of victims, tabs, thieves, waits and restarts as the model does',
    async () => {
      const histories = fc.commands(COMMANDS, { maxCommands: 30, size: 'max' });
      await fc.assert(fc.asyncProperty(histories, follow), { numRuns: RUNS[engine] });
    },
    180_000 * TIMES,
  );
});
