import { afterAll, beforeAll } from '@jest/globals';
import { describeDoors } from '../../support/message-matrix.js';
import { describeRedis, Redis } from '../../support/redis.js';

describeRedis('messages of Redis', () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await Redis.start();
  });
  afterAll(() => redis.stop());

  describeDoors(async () => redis.transport());
});
