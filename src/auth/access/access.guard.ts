import { Injectable } from '@nestjs/common';
import { TokenGuard } from '../policy/token.guard.js';
import { AccessStrategy } from './access.strategy.js';

@Injectable()
export class AccessGuard extends TokenGuard {
  constructor(strategy: AccessStrategy) {
    super(strategy);
  }
}
