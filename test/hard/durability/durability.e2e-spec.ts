import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { randomInt, randomUUID } from 'node:crypto';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { type Engine } from '../../../src/database/index.js';
// example:begin
import { type TransferDto, type TransferListDto } from '../../../src/features/transfers/transfers.dto.js';
// example:end
import { createTestDatabase, describeEachEngine } from '../../support/engines.js';
import {
  type Answer,
  makeFolder,
  type RequestOptions,
  type ServerProcess,
  start,
} from '../../support/server-process.js';

const PASSWORD = 'space-corgi';
// example:begin
const OPENING_BALANCE = 100_000;
// example:end

/** One server process after the other, on the same database and the same keys. */
class Service {
  private constructor(
    private readonly options: { folder: string; env: Record<string, string> },
    private process: ServerProcess,
    private readonly drop: () => Promise<void>,
  ) {}

  static async start(engine: Engine): Promise<Service> {
    // On SQLite the default: a file below the working directory.
    const database = engine === 'sqlite' ? undefined : await createTestDatabase(engine);
    const env = {
      TRUSTED_PROXIES: '127.0.0.1',
      // example:begin
      TRANSFERS_OPENING_BALANCE: String(OPENING_BALANCE),
      // example:end
    };
    const options = {
      folder: makeFolder(),
      env: database ? { ...env, DATABASE_URL: database.url } : env,
    };
    return new Service(options, await start(options), async () => database?.drop());
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.process.kill9();
  }

  async restart(): Promise<void> {
    this.process = await start(this.options);
  }

  async close(): Promise<void> {
    await this.process.kill9();
    await this.drop();
  }

  /** Rejects when the process is killed before the answer has arrived whole. */
  async request<T>(method: string, path: string, options?: RequestOptions): Promise<Answer<T>> {
    return this.process.request<T>(method, path, options);
  }

  /** A request that must succeed; returns the body. */
  async succeed<T = void>(method: string, path: string, options?: RequestOptions): Promise<T> {
    const { status, body } = await this.request<T>(method, path, options);
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async login(username: string, password = PASSWORD): Promise<TokenPairDto> {
    return this.succeed('POST', '/auth/login', { body: { username, password } });
  }

  async newUser(): Promise<{ username: string; pair: TokenPairDto }> {
    const username = `user-${randomUUID().slice(0, 8)}`;
    await this.succeed('POST', '/auth/register', { body: { username, password: PASSWORD } });
    return { username, pair: await this.login(username) };
  }

  // example:begin
  /** All transfers of a user, and the balance. */
  async account(token: string): Promise<{ balance: number; transfers: TransferDto[] }> {
    const transfers: TransferDto[] = [];
    let balance: number;
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: TransferListDto = await this.succeed('GET', `/transfers?limit=100${query}`, { token });
      transfers.push(...page.items);
      ({ balance, next_cursor: cursor } = page);
    } while (cursor !== null);
    return { balance, transfers };
  }
  // example:end
}

function refused(status: number, errorCode: string) {
  return expect.objectContaining({ status, body: expect.objectContaining({ errorCode }) });
}

/** Each does something that is answered 2xx, and returns what must be found after `kill -9` and a restart. */
const ANSWERED: Record<string, (service: Service) => Promise<() => Promise<void>>> = {
  'a registration: the account is there, and its name taken': async (service) => {
    const { username } = await service.newUser();
    const body = { username, password: PASSWORD };
    return async () => {
      expect(await service.request('POST', '/auth/login', { body })).toMatchObject({ status: 200 });
      expect(await service.request('POST', '/auth/register', { body })).toEqual(
        refused(409, 'username_taken'),
      );
    };
  },

  'a login: its access token opens routes, its refresh token rotates': async (service) => {
    const { username, pair } = await service.newUser();
    return async () => {
      const profile = await service.request('GET', '/profile', { token: pair.access_token });
      expect(profile).toMatchObject({ status: 200, body: { username, fresh: true } });
      const refresh = await service.request('POST', '/auth/refresh', { token: pair.refresh_token });
      expect(refresh).toMatchObject({ status: 200 });
    };
  },

  'a refresh: its key gets the same generation again, and the one before is spent': async (service) => {
    const { pair: first } = await service.newUser();
    const rotate = async (token: string, idempotencyKey: string) =>
      service.succeed<TokenPairDto>('POST', '/auth/refresh', { token, idempotencyKey });
    const second = await rotate(first.refresh_token, 'first-try');
    const third = await rotate(second.refresh_token, 'second-try');
    return async () => {
      const again = await rotate(second.refresh_token, 'second-try');
      expect(decode(again.refresh_token)).toEqual(decode(third.refresh_token));
      expect(await service.request('POST', '/auth/refresh', { token: first.refresh_token })).toEqual(
        refused(401, 'refresh_token_reused'),
      );
    };
  },

  // example:begin
  'a transfer: both balances and both lists have it, and its key makes no second one': async (service) => {
    const [sender, receiver] = [await service.newUser(), await service.newUser()];
    const order = { body: { to: receiver.username, amount: 1250 }, idempotencyKey: 'rent' };
    const transfer = await service.succeed<TransferDto>('POST', '/transfers', {
      ...order,
      token: sender.pair.access_token,
    });
    return async () => {
      const { access_token: token } = await service.login(sender.username);
      expect(await service.request('POST', '/transfers', { ...order, token })).toEqual({
        status: 201,
        body: transfer,
      });
      expect(await service.account(token)).toEqual({
        balance: OPENING_BALANCE - 1250,
        transfers: [transfer],
      });
      expect(await service.account(receiver.pair.access_token)).toEqual({
        balance: OPENING_BALANCE + 1250,
        transfers: [{ ...transfer, direction: 'in', counterparty: sender.username }],
      });
    };
  },

  'a fresh token spent on a transfer: it stays spent': async (service) => {
    const [sender, receiver] = [await service.newUser(), await service.newUser()];
    const token = sender.pair.access_token;
    const body = { to: receiver.username, amount: 1 };
    await service.succeed('POST', '/transfers', { token, body });
    return async () => {
      expect(await service.request('POST', '/transfers', { token, body })).toEqual(
        refused(401, 'fresh_token_required'),
      );
      expect(await service.account(token)).toMatchObject({ balance: OPENING_BALANCE - 1 });
    };
  },
  // example:end

  'a logout: neither token of the session works again': async (service) => {
    const { pair } = await service.newUser();
    await service.succeed('POST', '/auth/logout', { token: pair.access_token });
    return async () => {
      const refresh = service.request('POST', '/auth/refresh', { token: pair.refresh_token });
      expect(await refresh).toEqual(refused(401, 'token_revoked'));
      const profile = service.request('GET', '/profile', { token: pair.access_token });
      expect(await profile).toEqual(refused(401, 'token_revoked'));
    };
  },

  'a password change: the old password and the other sessions stay dead': async (service) => {
    const { username, pair: other } = await service.newUser();
    const { access_token: token } = await service.login(username);
    const renewed = await service.succeed<TokenPairDto>('PUT', '/auth/password', {
      token,
      body: { current_password: PASSWORD, new_password: 'moon-corgi' },
    });
    return async () => {
      const body = { username, password: PASSWORD };
      expect(await service.request('POST', '/auth/login', { body })).toEqual(
        refused(401, 'invalid_credentials'),
      );
      await service.login(username, 'moon-corgi');
      expect(await service.request('POST', '/auth/refresh', { token: other.refresh_token })).toEqual(
        refused(401, 'token_revoked'),
      );
      await service.succeed('POST', '/auth/refresh', { token: renewed.refresh_token });
    };
  },

  'a deletion: the account stays gone': async (service) => {
    const gone = await service.newUser();
    await service.succeed('DELETE', '/profile', { token: gone.pair.access_token });
    return async () => {
      const body = { username: gone.username, password: PASSWORD };
      expect(await service.request('POST', '/auth/login', { body })).toEqual(
        refused(401, 'invalid_credentials'),
      );
    };
  },

  // example:begin
  'a deletion after a transfer: its partner keeps the record': async (service) => {
    const [gone, partner] = [await service.newUser(), await service.newUser()];
    await service.succeed('POST', '/transfers', {
      token: gone.pair.access_token,
      body: { to: partner.username, amount: 7 },
    });
    const { access_token: token } = await service.login(gone.username);
    await service.succeed('DELETE', '/profile', { token });
    return async () => {
      expect(await service.account(partner.pair.access_token)).toMatchObject({
        balance: OPENING_BALANCE + 7,
        transfers: [{ direction: 'in', amount: 7, counterparty: null }],
      });
    };
  },
  // example:end
};

describeEachEngine('what was answered 2xx survives kill -9', (engine) => {
  let service: Service;
  const findAgain = new Map<string, () => Promise<void>>();

  beforeAll(async () => {
    service = await Service.start(engine);
    await Promise.all(
      Object.entries(ANSWERED).map(async ([promise, act]) => {
        // What fails already now fails its own test only.
        const find = await act(service).catch((error: unknown) => () => Promise.reject(error));
        findAgain.set(promise, find);
      }),
    );
    await service.kill();
    await service.restart();
  });
  afterAll(() => service.close());

  it.each(Object.keys(ANSWERED))('%s', async (promise) => {
    await findAgain.get(promise)!();
  });
});

/** Says when clients have had so many answers, whichever of them. */
class AnswerCount {
  readonly reached: Promise<void>;
  private resolve = () => {};

  constructor(private remaining: number) {
    this.reached = new Promise((resolve) => (this.resolve = resolve));
  }

  add(): void {
    if (--this.remaining === 0) this.resolve();
  }
}

/** Requests of one client, one after the other, until the server dies; what was not answered then is `pending`. */
abstract class Client {
  constructor(
    protected readonly service: Service,
    protected readonly onAnswer: () => void,
  ) {}

  protected abstract step(): Promise<void>;

  /** Resolves when the server is gone. */
  async run(): Promise<void> {
    for (;;) {
      try {
        await this.step();
      } catch (error) {
        // What `fetch` reports when the connection breaks, or there is none. It is of another realm: no `instanceof`.
        if ((error as Error).name === 'TypeError') return;
        throw error;
      }
    }
  }

  protected async send<T>(method: string, path: string, options: RequestOptions): Promise<Answer<T>> {
    const answer = await this.service.request<T>(method, path, options);
    if (answer.status < 300) this.onAnswer();
    return answer;
  }
}

/** Registers one account after the other. */
class Registrar extends Client {
  readonly registered: string[] = [];

  protected async step(): Promise<void> {
    const username = `new-${randomUUID().slice(0, 12)}`;
    const body = { username, password: PASSWORD };
    // Each from elsewhere: one address may register twenty in an hour.
    const headers = { 'X-Forwarded-For': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}` };
    expect(await this.send('POST', '/auth/register', { body, headers })).toMatchObject({ status: 201 });
    this.registered.push(username);
  }
}

/** Holds a session as the contract asks: a key for each refresh token, made before the first try. */
class Holder extends Client {
  protected key = randomUUID();

  constructor(
    service: Service,
    onAnswer: () => void,
    protected pair: TokenPairDto,
  ) {
    super(service, onAnswer);
  }

  protected async step(): Promise<void> {
    await this.rotate('refresh');
  }

  /** Sends a request that may have been sent before. The session must go on in either case. */
  async rotate(route: 'refresh' | 'reauthenticate'): Promise<void> {
    const answer = await this.send<TokenPairDto>('POST', `/auth/${route}`, {
      token: this.pair.refresh_token,
      idempotencyKey: this.key,
      ...(route === 'reauthenticate' ? { body: { password: PASSWORD } } : {}),
    });
    expect(answer).toMatchObject({ status: 200 });
    this.pair = answer.body;
    this.key = randomUUID();
  }
}

// example:begin
interface Order {
  to: string;
  amount: number;
}

/** Sends money to others, each time with a fresh token. */
class Payer extends Holder {
  readonly paid = new Map<string, Order>();
  private pending: { order: Order; key: string } | undefined;

  constructor(
    service: Service,
    onAnswer: () => void,
    pair: TokenPairDto,
    readonly username: string,
    private readonly others: () => Payer[],
  ) {
    super(service, onAnswer, pair);
  }

  get token(): string {
    return this.pair.access_token;
  }

  protected override async step(): Promise<void> {
    await this.rotate('reauthenticate');
    const others = this.others().filter((other) => other !== this);
    const to = others[randomInt(others.length)]!.username;
    // Large enough that some have not got it.
    this.pending = { order: { to, amount: randomInt(1, OPENING_BALANCE) }, key: randomUUID() };
    await this.pay();
  }

  /** Sends again, with a new fresh token and the old key, what was not answered. */
  async settle(): Promise<void> {
    await this.rotate('reauthenticate');
    if (this.pending) await this.pay();
  }

  private async pay(): Promise<void> {
    const { order, key } = this.pending!;
    const answer = await this.send<TransferDto>('POST', '/transfers', {
      token: this.token,
      body: order,
      idempotencyKey: key,
    });
    if (answer.status === 201) this.paid.set(answer.body.id, order);
    else expect(answer).toEqual(refused(409, 'insufficient_funds'));
    this.pending = undefined;
  }
}
// example:end

describeEachEngine('kill -9 in the middle of many requests', (engine) => {
  const ROUNDS = [1, 2, 3];
  let service: Service;
  // example:begin
  let payers: Payer[] = [];
  // example:end
  let holders: Holder[] = [];
  let registrar: Registrar;
  let answers: AnswerCount | undefined;
  const onAnswer = () => answers?.add();

  beforeAll(async () => {
    service = await Service.start(engine);
    const users = await Promise.all(Array.from({ length: 4 }, () => service.newUser()));
    // example:begin
    payers = users.map(({ username, pair }) => new Payer(service, onAnswer, pair, username, () => payers));
    // example:end
    holders = await Promise.all(
      users.map(async ({ username }) => new Holder(service, onAnswer, await service.login(username))),
    );
    registrar = new Registrar(service, onAnswer);
  });
  afterAll(() => service.close());

  // example:begin
  /** What the accounts say, against what their owners know; returns the sum of the balances. */
  async function audit(): Promise<number> {
    const accounts = await Promise.all(
      payers.map(async (payer) => ({ payer, ...(await service.account(payer.token)) })),
    );
    const sides = (wanted: 'in' | 'out') =>
      accounts
        .flatMap(({ transfers }) => transfers.filter(({ direction }) => direction === wanted))
        .map(({ id, amount }) => `${id} ${amount}`)
        .toSorted();
    // No transfer was made by half.
    expect(sides('in')).toEqual(sides('out'));
    for (const { payer, balance, transfers } of accounts) {
      const sum = transfers.reduce((total, t) => total + (t.direction === 'in' ? t.amount : -t.amount), 0);
      expect({ owner: payer.username, balance }).toEqual({
        owner: payer.username,
        balance: OPENING_BALANCE + sum,
      });
      const listed = transfers
        .filter((t) => t.direction === 'out')
        .map((t) => [t.id, t.counterparty, t.amount]);
      const answered = [...payer.paid].map(([id, { to, amount }]) => [id, to, amount]);
      expect(listed).toEqual(expect.arrayContaining(answered));
    }
    return accounts.reduce((total, { balance }) => total + balance, 0);
  }
  // example:end

  it.each(ROUNDS)('loses nothing that was answered (round %i)', async () => {
    const clients: Client[] = [...holders, registrar];
    // example:begin
    clients.push(...payers);
    // example:end
    answers = new AnswerCount(randomInt(8, 50));
    const all = Promise.all(clients.map((client) => client.run()));
    await Promise.race([answers.reached, all]);
    await service.kill();
    await all;
    await service.restart();

    // example:begin
    // No money is made or lost; the access tokens are those of before.
    const money = payers.length * OPENING_BALANCE;
    expect(await audit()).toBe(money);
    // example:end
    // Every session goes on, whether or not its last refresh was answered.
    await Promise.all(holders.map((holder) => holder.rotate('refresh')));
    await Promise.all(registrar.registered.splice(0).map((username) => service.login(username)));
    // example:begin
    // Requests without an answer are sent again, and must have one effect in all.
    await Promise.all(payers.map((payer) => payer.settle()));
    expect(await audit()).toBe(money);
    for (const { paid, token } of payers) {
      const { transfers } = await service.account(token);
      const sent = transfers.filter(({ direction }) => direction === 'out').map(({ id }) => id);
      expect(sent.toSorted()).toEqual([...paid.keys()].toSorted());
    }
    // example:end
  });
});
