import { type DynamicModule, Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { DatabaseModule } from '../database/index.js';
import { PasskeyChallenges } from './passkey-challenges.js';
import { PasskeyLoginService } from './passkey-login.service.js';
import { PasskeyProofs } from './passkey-proofs.js';
import { PasskeysController, RelatedOriginsController } from './passkeys.controller.js';
import { PasskeyRows } from './passkeys.repository.js';
import { PasskeysService } from './passkeys.service.js';
import { passkeysMigrations } from './passkeys.table.js';
import { PasskeysSettings, RelyingParty } from './relying-party.js';
import { WebAuthn } from './webauthn.js';

/** Login and step-up by passkey (WebAuthn). Without this module, there are no passkeys. */
@Module({})
export class PasskeysModule {
  static forRoot(settings: PasskeysSettings): DynamicModule {
    return {
      module: PasskeysModule,
      // No secret here: keys are passed with every call.
      imports: [DatabaseModule.forFeature(passkeysMigrations), JwtModule.register({})],
      controllers: [PasskeysController, RelatedOriginsController],
      providers: [
        { provide: PasskeysSettings, useValue: settings },
        PasskeyChallenges,
        PasskeyLoginService,
        PasskeyProofs,
        PasskeyRows,
        PasskeysService,
        RelyingParty,
        WebAuthn,
      ],
    };
  }
}
