import { type DynamicModule, Module } from '@nestjs/common';
import { type Logger } from 'pino';
import { AppModule } from './app.module.js';
import { type AppConfig } from './config/app-config.js';
import { LoggingModule } from './logging/logging.module.js';
import { MetricsModule } from './metrics/metrics.module.js';

/** The application as a server that somebody operates; a command of the operator needs the application alone. */
@Module({})
export class ServerModule {
  static forRoot(config: AppConfig, logger: Logger): DynamicModule {
    const { METRICS_HOST: host, METRICS_PORT: port } = config;
    return {
      module: ServerModule,
      imports: [
        LoggingModule.forRoot(logger),
        ...(port === undefined ? [] : [MetricsModule.forRoot({ host, port })]),
        AppModule.forRoot(config),
      ],
    };
  }
}
