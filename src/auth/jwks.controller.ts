import { Controller, Get, Header, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { Clock } from '../time/clock.js';
import { JWKS_MAX_AGE_SECONDS, KeyRing } from '../keys/key-ring.js';
import { NotCached } from './request/not-cached.decorator.js';
import { Public } from './guard/public.decorator.js';

const JWK_SET = 'application/jwk-set+json';

@ApiTags('keys')
// RFC 8615: well-known paths stand at the root of the host, whatever versions and prefix the application has.
@Controller({ path: '.well-known', version: VERSION_NEUTRAL })
export class JwksController {
  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
  ) {}

  @Public()
  @NotCached()
  @Get('jwks.json')
  @Header('Cache-Control', `max-age=${JWKS_MAX_AGE_SECONDS}`)
  // RFC 7517 §8.5.1. Clients that accept JSON accept it: the suffix `+json` says so (RFC 6839 §3.1).
  @Header('Content-Type', JWK_SET)
  @ApiProduces(JWK_SET)
  @ApiOperation({ summary: 'Get the public keys that verify access tokens (RFC 7517).' })
  @ApiOkResponse({
    schema: { type: 'object', properties: { keys: { type: 'array', items: { type: 'object' } } } },
  })
  getJwks(): ReturnType<KeyRing['publicJwks']> {
    return this.keys.publicJwks(this.clock.now());
  }
}
