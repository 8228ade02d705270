import { Body, Controller, HttpException, Post } from '@nestjs/common';
import { FreshAccess, Unvalidated } from '../../src/auth/index.js';

/** A route that lets a fresh token in for a single success. `{ status: 409 }` makes it fail with that status. */
@Controller('once')
export class OnceController {
  @FreshAccess({ once: true })
  @Post()
  use(@Body(Unvalidated) body?: { status?: number }): object {
    if (body?.status !== undefined) throw new HttpException('as the test asked', body.status);
    return { used: true };
  }
}
