import { type Executor, type Param } from '../../database/index.js';
import { type Limit } from './limit.js';

/** What counting one needs, as a statement takes it. Milliseconds, of the system's clock. */
export interface CountValues {
  limitKey: string;
  limitPoints: number;
  countedAt: number;
  countedUntil: number;
}

export function countValues(key: string, { points, seconds }: Limit): CountValues {
  const now = Date.now();
  return { limitKey: key, limitPoints: points, countedAt: now, countedUntil: now + seconds * 1000 };
}

/** Counts one in `rate_limits`, as the library does, for a statement of PostgreSQL that does more besides. */
export function countOne(db: Executor, param: Param<CountValues>) {
  return db
    .insertInto('rate_limits')
    .values({ key: param('limitKey'), points: 1, expire: param('countedUntil') })
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet((eb) => {
        const isOver = eb('rate_limits.expire', '<=', param('countedAt'));
        return {
          points: eb
            .case()
            .when(isOver)
            .then(1)
            .else(eb('rate_limits.points', '+', 1))
            .end(),
          expire: eb.case().when(isOver).then(param('countedUntil')).else(eb.ref('rate_limits.expire')).end(),
        };
      }),
    )
    .returning(['points', 'expire']);
}
