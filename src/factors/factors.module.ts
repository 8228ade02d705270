import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { DatabaseModule } from '../database/index.js';
import { CodeAttempts } from './code-attempts.js';
import { FactorLoginService } from './factor-login.service.js';
import { FactorsController } from './factors.controller.js';
import { FactorsPurge } from './factors-purge.js';
import { FactorsService } from './factors.service.js';
import { factorsMigrations } from './factors.table.js';
import { LoginChallenges } from './login-challenges.js';
import { OtpFactors } from './otp-factors.js';
import { OtpSecrets } from './otp-secrets.js';
import { RecoveryCodes } from './recovery-codes.js';
import { SecondFactor } from './second-factor.js';

/** One-time codes (RFC 6238) and recovery codes as second factors. Without this module, nothing asks for them. */
@Module({
  // No secret here: keys are passed with every call.
  imports: [DatabaseModule.forFeature(factorsMigrations), JwtModule.register({})],
  controllers: [FactorsController],
  providers: [
    CodeAttempts,
    FactorLoginService,
    FactorsPurge,
    FactorsService,
    LoginChallenges,
    OtpFactors,
    OtpSecrets,
    RecoveryCodes,
    SecondFactor,
  ],
})
export class FactorsModule {}
