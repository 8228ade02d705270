import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { AccountAdmin, UserStore } from '../../../src/auth/index.js';
import { type TokenAgent } from '../../../src/testing/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';

describeEachEngine('the last administrator', (engine) => {
  let api: TestApp;
  let boss: TokenAgent;
  beforeEach(async () => {
    api = await createTestApp({ engine });
    boss = await api.as('boss').role('admin').fresh();
  });
  afterEach(() => api.close());

  const admins = async () =>
    (await api.get(UserStore).list({ role: 'admin', disabled: false, limit: 100 })).map(
      ({ username }) => username,
    );
  const pathOf = ({ user }: TokenAgent) => `/admin/users/${user.id}`;

  it('keeps role and account against every request that would take them', async () => {
    // Neither may stand in: one is disabled, the other's role only looks like it.
    const former = await api.as('former').role('admin').fresh();
    await api.get(AccountAdmin).disable('former');
    await api.as('lookalike').role('admin2', 'x.admin').fresh();

    const refused = [
      await boss.patch(pathOf(boss)).send({ roles: [] }),
      await boss.patch(pathOf(boss)).send({ roles: ['other'] }),
      await boss.patch(pathOf(boss)).send({ disabled: true }),
      await boss.delete(pathOf(boss)),
      await boss.delete('/profile'),
    ];
    for (const each of refused)
      expect(expectError(each, 409, 'last_admin')).toBe(
        'This is the last administrator: give another account the role admin first',
      );
    const operator = api.get(AccountAdmin);
    for (const work of [operator.revoke('boss', 'admin'), operator.disable('boss')])
      await expect(work).rejects.toMatchObject({ errorCode: 'last_admin' });
    // Nothing was revoked, and what takes nothing away goes on.
    await boss
      .patch(pathOf(boss))
      .send({ roles: ['admin', 'other'] })
      .expect(200);
    await boss.delete(pathOf(former)).expect(204);
    expect(await admins()).toEqual(['boss']);
  });

  it('may go once there is another', async () => {
    const next = await api.as('next').role('admin').fresh();
    await boss.delete('/profile').expect(204);
    expect(await admins()).toEqual(['next']);
    expectError(await next.delete('/profile'), 409, 'last_admin');
  });

  it.each<[string, (by: TokenAgent, whom: TokenAgent) => Promise<unknown>]>([
    ['a changed role', async (by, whom) => by.patch(pathOf(whom)).send({ roles: [] })],
    ['disabling', async (by, whom) => by.patch(pathOf(whom)).send({ disabled: true })],
    ['deletion', async (by, whom) => by.delete(pathOf(whom))],
    ['deletion of the own account', async (by) => by.delete('/profile')],
    [
      'the operator and the other administrator',
      async (by, whom) =>
        Promise.all([
          by.patch(pathOf(whom)).send({ roles: [] }),
          api
            .get(AccountAdmin)
            .revoke(by.user.username, 'admin')
            .catch(() => {}),
        ]),
    ],
  ])('is left by 50 parallel requests of two against each other: %s', async (_, act) => {
    const other = await api.as('other').role('admin').fresh();
    await Promise.all(Array.from({ length: 25 }, () => [act(boss, other), act(other, boss)]).flat());
    expect(await admins()).toHaveLength(1);
  });
});
