import { type DynamicModule, Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { PagesController } from './pages.controller.js';
import { PagesSettings } from './pages-settings.js';

/** The pages at `/`. For Fastify, which the product runs; an application on Express serves pages of its own. */
@Module({})
export class PagesModule implements OnModuleInit {
  static forRoot(settings: PagesSettings): DynamicModule {
    return {
      module: PagesModule,
      controllers: settings.on ? [PagesController] : [],
      providers: [{ provide: PagesSettings, useValue: settings }],
    };
  }

  constructor(
    private readonly settings: PagesSettings,
    private readonly host: HttpAdapterHost,
  ) {}

  /** Before the routes: `sendFile` must be known to them. */
  async onModuleInit(): Promise<void> {
    // An application that is a microservice only has no adapter.
    const httpAdapter = this.host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (!this.settings.on || !httpAdapter) return;
    if (httpAdapter.getType() !== 'fastify')
      throw new TypeError('the pages need the Fastify adapter; switch them off with PAGES=off');
    const { default: files } = await import('@fastify/static');
    const server = (httpAdapter as unknown as FastifyAdapter).getInstance();
    // The plugin adds no routes: those of the controller are guarded like all others, unless they are public.
    await server.register(files, { serve: false, preCompressed: true });
  }
}
