import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { expectError } from '../../support/expect-error.js';

describe('the file of an embedded database', () => {
  let folder: string;
  let path: string;
  let api: TestApp;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'freshgate-file-'));
    path = join(folder, 'freshgate.db');
    api = await createTestApp({ database: { url: `file:${path}`, drop: async () => {} } });
  });
  afterEach(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each<[string, () => void]>([
    ['deleted', () => rmSync(path)],
    ['moved away', () => renameSync(path, `${path}.old`)],
    [
      'replaced',
      () => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
    ],
  ])(
    'that was %s makes the server unready, and nothing is acknowledged that would be lost',
    async (_, harm) => {
      const { username, password } = await api.user();
      await api.request('GET', '/health/ready').expect(200);
      harm();
      const response = await api.request('POST', '/auth/login').send({ username, password });
      expectError(response, 503, 'database_unavailable');
      const registration = { username: 'late', password: 'a long password indeed' };
      expectError(
        await api.request('POST', '/auth/register').send(registration),
        503,
        'database_unavailable',
      );
      const { body } = await api.request('GET', '/health/ready').expect(503);
      expect(Object.keys(body.error as object)).toContain('database');
    },
  );

  it('that is put back is used again', async () => {
    const { username, password } = await api.user();
    renameSync(path, `${path}.old`);
    expectError(
      await api.request('POST', '/auth/login').send({ username, password }),
      503,
      'database_unavailable',
    );
    renameSync(`${path}.old`, path);
    await api.request('POST', '/auth/login').send({ username, password }).expect(200);
    await api.request('GET', '/health/ready').expect(200);
  });
});
