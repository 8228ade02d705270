import { Injectable } from '@nestjs/common';
import { TokenGuard } from '../guard/token.guard.js';
import { FreshAccessStrategy } from './fresh-access.strategy.js';

@Injectable()
export class FreshAccessGuard extends TokenGuard {
  constructor(strategy: FreshAccessStrategy) {
    super(strategy);
  }
}
