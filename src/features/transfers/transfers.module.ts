import { Module } from '@nestjs/common';
import { DatabaseModule } from '../../database/index.js';
import { TransfersController } from './transfers.controller.js';
import { TransfersRepository } from './transfers.repository.js';
import { TransfersService } from './transfers.service.js';
import { transfersMigrations } from './transfers.table.js';

@Module({
  imports: [DatabaseModule.forFeature(transfersMigrations)],
  controllers: [TransfersController],
  providers: [TransfersService, TransfersRepository],
})
export class TransfersModule {}
