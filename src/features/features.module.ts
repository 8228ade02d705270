import { Module } from '@nestjs/common';
import { ProfileModule } from './profile/profile.module.js';
import { TransfersModule } from './transfers/transfers.module.js';

/** The resource modules, one line each. Every route in them needs an access token unless it declares otherwise. */
@Module({
  imports: [ProfileModule, TransfersModule],
})
export class FeaturesModule {}
