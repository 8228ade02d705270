import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Principal } from '../../auth/index.js';
import { createTestApp, type TestApp } from '../../testing/index.js';
import { SampleThingsModule } from './sample-things.module.js';
import { SampleThingsService } from './sample-things.service.js';

describe('SampleThingsService', () => {
  let app: TestApp;
  let service: SampleThingsService;
  beforeAll(async () => {
    app = await createTestApp({ imports: [SampleThingsModule] });
    service = app.get(SampleThingsService);
  });
  afterAll(() => app.close());

  const somebody = async (): Promise<Principal> => {
    const { id } = await app.user();
    const token = { sessionId: '', tokenId: '', fresh: true, authTime: null, acr: null, amr: [] };
    return { userId: id, ...token, roles: [] };
  };

  it('lists page by page, newest first', async () => {
    const user = await somebody();
    for (let n = 1; n <= 51; n++) await service.create(user, { name: `number ${n}` });
    const first = await service.list(user, {});
    expect(first.items).toHaveLength(50);
    expect(first.items[0]?.name).toBe('number 51');
    const second = await service.list(user, { cursor: first.next_cursor ?? '' });
    expect(second).toMatchObject({ items: [{ name: 'number 1' }], next_cursor: null });
  });

  it('dates what is made by the clock', async () => {
    const user = await somebody();
    const { created_at } = await service.create(user, { name: 'dated' });
    expect(created_at).toBe(new Date(app.clock.now()).toISOString());
  });
});
