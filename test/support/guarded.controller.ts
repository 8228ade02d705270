import { Controller, Get } from '@nestjs/common';
import { Access, FreshAccess } from '../../src/auth/index.js';

/** An ordinary and a critical route without any I/O of their own. */
@Controller('guarded')
export class GuardedController {
  @Access()
  @Get()
  ordinary() {
    return { ok: true };
  }

  @FreshAccess()
  @Get('fresh')
  fresh() {
    return { ok: true };
  }
}
