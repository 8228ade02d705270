import {
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Database } from './database.js';
import { type Migrations, MigrationSet } from './migrations.js';

const REGISTRATION = Symbol('migrations registered');

/**
 * Provides `Database` everywhere. All modules have registered their migrations when the first `onModuleInit` runs. Code
 * that needs tables at the start uses `onApplicationBootstrap`, which runs after the migrations.
 */
@Global()
@Module({})
export class DatabaseModule implements OnModuleInit, OnApplicationShutdown {
  static forRoot(database: Database): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [{ provide: Database, useValue: database }, MigrationSet],
      exports: [Database, MigrationSet],
    };
  }

  /** Adds the migrations of a module's own tables. */
  static forFeature(migrations: Migrations): DynamicModule {
    return {
      module: DatabaseFeatureModule,
      providers: [
        {
          provide: REGISTRATION,
          inject: [MigrationSet],
          useFactory: (set: MigrationSet) => set.add(migrations),
        },
      ],
    };
  }

  constructor(
    @Inject(Database) private readonly database: Database,
    private readonly migrations: MigrationSet,
  ) {}

  /** @throws the result of `toStartError` */
  async onModuleInit(): Promise<void> {
    await this.database.ping();
    await this.database.checkServer();
    await this.migrations.run();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.destroy();
  }
}

@Module({})
class DatabaseFeatureModule {}
