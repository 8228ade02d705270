import { type DynamicModule, Module } from '@nestjs/common';
import { AppModule } from './app.module.js';
import { type AppConfig } from './config/config.js';
import { type Log } from './logging/logger.js';
import { LoggingModule } from './logging/logging.module.js';

/** The application with logging and metrics. The operator's commands use the application alone. */
@Module({})
export class ServerModule {
  static async forRoot(config: AppConfig, log: Log): Promise<DynamicModule> {
    const { metricsHost: host, metricsPort: port } = config.server;
    // Loaded only if metrics are on, because it slows down the start.
    const metrics = port === undefined ? undefined : await import('./metrics/metrics.module.js');
    return {
      module: ServerModule,
      imports: [
        LoggingModule.forRoot(log),
        ...(metrics && port !== undefined ? [metrics.MetricsModule.forRoot({ host, port })] : []),
        AppModule.forRoot(config),
      ],
    };
  }
}
