import { type DynamicModule, Global, Module } from '@nestjs/common';
import { type AppConfig } from './config.js';
import { type OptionsClass } from './from-env.js';

/** Options that the environment fills, to inject: `constructor(private readonly options: InvoicesOptions)`. */
@Global()
@Module({})
export class ConfigModule {
  static forRoot(config: AppConfig, types: readonly OptionsClass[]): DynamicModule {
    return {
      module: ConfigModule,
      providers: types.map((type) => ({ provide: type, useValue: config.get(type) })),
      exports: [...types],
    };
  }
}
