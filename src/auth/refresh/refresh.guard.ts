import { Injectable } from '@nestjs/common';
import { TokenGuard } from '../guard/token.guard.js';
import { RefreshStrategy } from './refresh.strategy.js';

@Injectable()
export class RefreshGuard extends TokenGuard {
  constructor(strategy: RefreshStrategy) {
    super(strategy);
  }
}
