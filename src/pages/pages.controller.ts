import { Controller, Get, Header, NotFoundException, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AuthOptions, Public } from '../auth/index.js';
import { Outbox } from '../mail/index.js';
import { PageHeaders } from './page-headers.js';
import { PagesSettings } from './pages-settings.js';

const FILES = join(import.meta.dirname, 'public');
const CLIENT = join(import.meta.dirname, '../client');
/** No folder and no dot at the beginning; neither compressed copies nor declarations. */
const SERVED = /^[\w-]+\.(?:js|css|svg)$/;

/** The members of Fastify's reply that are used, with `sendFile` of `@fastify/static`. */
interface Reply {
  type(value: string): Reply;
  sendFile(name: string, folder: string): unknown;
}

/** The pages and their files. Answers have an ETag: a browser asks again, and gets 304 until a file changes. */
@Public()
@ApiExcludeController()
@Controller()
export class PagesController {
  constructor(
    private readonly settings: PagesSettings,
    private readonly auth: AuthOptions,
    private readonly outbox: Outbox,
  ) {}

  /** One document. The paths besides `/` are those of links in mails: opening one changes nothing. */
  @Get(['/', 'register/confirm', 'email/verify', 'email/undo', 'password/reset'])
  @PageHeaders()
  showPage(@Res() reply: Reply): void {
    reply.sendFile('index.html', FILES);
  }

  /** A module, so that it loads beside the scripts that need it. */
  @Get('assets/settings.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  @Header('Cache-Control', 'no-cache')
  getSettings(): string {
    const { locations, registration } = this.auth;
    const settings = {
      // Out of reach of scripts where the application allows cookies.
      mode: locations.order.includes('cookie') ? 'cookie' : 'header',
      loginName: this.settings.loginName,
      registration,
      mail: this.outbox.isOn,
    };
    return `export default ${JSON.stringify(settings)};\n`;
  }

  @Get('assets/uqr.js')
  sendQrEncoder(@Res() reply: Reply): void {
    const file = fileURLToPath(import.meta.resolve('uqr'));
    reply.type('text/javascript; charset=utf-8').sendFile('index.mjs', dirname(file));
  }

  @Get('assets/client/:file')
  sendClientFile(@Param('file') file: string, @Res() reply: Reply): void {
    send(reply, file, CLIENT);
  }

  @Get('assets/:file')
  sendFile(@Param('file') file: string, @Res() reply: Reply): void {
    send(reply, file, FILES);
  }
}

function send(reply: Reply, file: string, folder: string): void {
  if (!SERVED.test(file)) throw new NotFoundException();
  reply.sendFile(file, folder);
}
