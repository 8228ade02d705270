import { Module } from '@nestjs/common';
import { DatabaseModule } from '../../database/index.js';
import { SampleThingsController } from './sample-things.controller.js';
import { SampleThingsRepository } from './sample-things.repository.js';
import { SampleThingsService } from './sample-things.service.js';
import { sampleThingsMigrations } from './sample-things.table.js';

@Module({
  imports: [DatabaseModule.forFeature(sampleThingsMigrations)],
  controllers: [SampleThingsController],
  providers: [SampleThingsService, SampleThingsRepository],
  // For other features; index.ts names what they import.
  exports: [SampleThingsService],
})
export class SampleThingsModule {}
