import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { expectChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

describeEachEngine('/sample-things', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  afterAll(() => app.close());

  it('are made, listed, read and deleted', async () => {
    const cosmo = await app.as('cosmo').fresh();
    const { body: made } = await cosmo.post('/sample-things').send({ name: 'the first' }).expect(201);
    expect(made).toEqual({ id: expect.any(String), name: 'the first', created_at: expect.any(String) });
    expect((await cosmo.get('/sample-things').expect(200)).body).toEqual({
      items: [made],
      next_cursor: null,
    });
    expect((await cosmo.get(`/sample-things/${made.id}`).expect(200)).body).toEqual(made);
    await cosmo.delete(`/sample-things/${made.id}`).expect(204);
    expectError(await cosmo.get(`/sample-things/${made.id}`), 404, 'not_found');
  });

  it('take any access token, and a fresh one to delete', async () => {
    const cosmo = app.as('cosmo');
    const stale = await cosmo.stale();
    const { body: made } = await stale.post('/sample-things').send({ name: 'kept' }).expect(201);
    expectChallenge(await stale.delete(`/sample-things/${made.id}`), { maxAge: '15m' });
    await stale.get(`/sample-things/${made.id}`).expect(200);

    for (const path of ['/sample-things', `/sample-things/${made.id}`]) {
      expectChallenge(await app.request('GET', path), { errorCode: 'token_missing' });
      expectChallenge(await (await cosmo.expired()).get(path), { errorCode: 'token_expired' });
      expectChallenge(await (await cosmo.revoked()).get(path), { errorCode: 'token_revoked' });
      expectChallenge(await (await cosmo.refresh()).get(path), { errorCode: 'token_wrong_type' });
    }
  });

  it('are their owner’s alone', async () => {
    const [cosmo, laika] = [await app.as('cosmo').fresh(), await app.as('laika').fresh()];
    const { body: made } = await cosmo.post('/sample-things').send({ name: 'private' }).expect(201);
    expectError(await laika.get(`/sample-things/${made.id}`), 404, 'not_found');
    expectError(await laika.delete(`/sample-things/${made.id}`), 404, 'not_found');
    expect((await laika.get('/sample-things').expect(200)).body.items).toEqual([]);
    await cosmo.get(`/sample-things/${made.id}`).expect(200);
  });

  it.each([{}, { name: '' }, { name: 'x'.repeat(101) }, { name: 5 }, { name: 'x', more: 1 }])(
    'refuse a body of %j',
    async (body) => {
      const cosmo = await app.as('cosmo').stale();
      expectError(await cosmo.post('/sample-things').send(body), 400, 'validation_failed');
    },
  );

  it('answer an invalid id like an unknown id', async () => {
    const cosmo = await app.as('cosmo').fresh();
    for (const id of ['x', '%00', '00000000-0000-7000-8000-000000000000']) {
      expectError(await cosmo.get(`/sample-things/${id}`), 404, 'not_found');
      expectError(await cosmo.delete(`/sample-things/${id}`), 404, 'not_found');
    }
  });

  it('go with their owner’s account', async () => {
    const belka = await app.as('belka').fresh();
    await belka.post('/sample-things').send({ name: 'last' }).expect(201);
    await belka.delete('/profile').expect(204);
    const again = await app.as('belka').fresh();
    expect((await again.get('/sample-things').expect(200)).body.items).toEqual([]);
  });
});
