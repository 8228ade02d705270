import {
  Body,
  Controller,
  type INestApplication,
  ParseArrayPipe,
  Post,
  type Type,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { IsString } from 'class-validator';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CurrentUser, Public, type Principal, Unvalidated } from '../../../src/auth/index.js';
import { createTestApp, type TestApp } from '../../../src/testing/index.js';

class NoteDto {
  @IsString()
  text!: string;
}

/** What the compiler leaves of a class that was imported by `import type`. */
interface Erased {
  text: string;
}

@Controller('typed')
class Typed {
  @Post()
  add(@CurrentUser() _user: Principal, @Body() body: Erased): object {
    return { length: body.text.length };
  }
}

@Public()
@Controller('open')
class Open {
  @Post()
  add(@Body() body: Erased): object {
    return body;
  }
}

@Controller('piped')
class Piped {
  @UsePipes(new ValidationPipe({ whitelist: true }))
  @Post()
  add(@Body() body: Erased): object {
    return body;
  }
}

class OwnPipe extends ValidationPipe {}

@UsePipes(OwnPipe)
@Controller('classed')
class Classed {
  @Post()
  add(@Body() body: Erased): object {
    return body;
  }
}

@Controller('right')
class Right {
  @Post()
  add(@Body() body: NoteDto): object {
    return body;
  }

  @Post('text')
  text(@Body('text') text: unknown): object {
    return { text };
  }

  @Post('list')
  list(@Body(new ParseArrayPipe({ items: NoteDto })) body: NoteDto[]): object {
    return { count: body.length };
  }

  @Post('any')
  any(@Body(Unvalidated) event: unknown): object {
    return { event };
  }
}

let api: TestApp | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const start = async (controller: Type, configure?: (app: INestApplication) => void) =>
  (api = await createTestApp({ controllers: [controller], ...(configure && { configure }) }));

describe('a body whose DTO was imported as a type', () => {
  it.each([
    ['a guarded handler, by the global pipe', Typed, 'Typed.add', 2, undefined],
    ['a public one', Open, 'Open.add', 1, undefined],
    ['the pipe of a method', Piped, 'Piped.add', 1, () => {}],
    ['the pipe of a class', Classed, 'Classed.add', 1, () => {}],
    [
      'the pipe of Nest',
      Open,
      'Open.add',
      1,
      (app: INestApplication) => void app.useGlobalPipes(new ValidationPipe()),
    ],
  ])(
    'stops the start, by class, method and parameter: %s',
    async (_, controller, name, parameter, configure) => {
      const message = `${name}: @Body() of parameter ${parameter} has no class to validate (Object). Declare a DTO class and import it by \`import\`, not \`import type\``;
      await expect(start(controller, configure)).rejects.toThrow(message);
    },
  );

  it('is not looked for where nothing validates', async () => {
    await start(Open, () => {});
  });

  it('is not reported for a DTO, a part of the body, or a parameter with its own pipe', async () => {
    const app = await start(Right);
    const { access } = await app.login();
    const post = (path: string, body: object) => app.request('POST', path, access).send(body);
    expect((await post('/right', { text: 'a' }).expect(201)).body).toEqual({ text: 'a' });
    await post('/right', { text: 5 }).expect(400);
    expect((await post('/right/any', { a: 1 }).expect(201)).body).toEqual({ event: { a: 1 } });
    expect((await post('/right/list', [{ text: 'a' }]).expect(201)).body).toEqual({ count: 1 });
    expect((await post('/right/text', { text: 'a' }).expect(201)).body).toEqual({ text: 'a' });
  });
});
