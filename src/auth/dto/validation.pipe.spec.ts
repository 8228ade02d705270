import { describe, expect, it } from '@jest/globals';
import { Expose, Transform, Type } from 'class-transformer';
import {
  IsArray,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { ApiError, type FieldError } from '../errors/api-error.js';
import { createValidationPipe } from './validation.pipe.js';

class Item {
  @IsString()
  readonly name!: string;
}

class Order {
  @MaxLength(5)
  @IsString()
  readonly to!: string;

  @Min(1)
  @IsInt()
  readonly amount!: number;

  @Type(() => Item)
  @ValidateNested()
  @IsOptional()
  readonly gift?: Item;

  @Type(() => Item)
  @ValidateNested({ each: true })
  @IsArray()
  @IsOptional()
  readonly items?: Item[];
}

class AllOptional {
  @IsString()
  @IsOptional()
  readonly note?: string;
}

class Renamed {
  @Expose({ name: 'deliver_to' })
  @Type(() => Item)
  @ValidateNested()
  readonly receiver!: Item;

  @Transform(({ value }: { value: unknown }) => (Array.isArray(value) ? value.join() : value))
  @IsString()
  readonly tags!: string;

  @IsNotEmpty()
  readonly loose!: string;
}

const pipe = createValidationPipe();
const validate = async (body: unknown, metatype: new () => object = Order): Promise<unknown> =>
  pipe.transform(body, { type: 'body', metatype });

async function refusal(body: unknown, metatype?: new () => object): Promise<ApiError> {
  try {
    await validate(body, metatype);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('accepted');
}

const errorsOf = (error: ApiError) => (error.getResponse() as { errors: FieldError[] }).errors;
const refusedFields = async (body: unknown, metatype?: new () => object) =>
  errorsOf(await refusal(body, metatype)).map(({ field }) => field);

const VALID = { to: 'laika', amount: 5 };

describe('the validation pipe', () => {
  it('gives the handler an instance of its DTO, members of members too', async () => {
    const order = await validate({ ...VALID, gift: { name: 'a' }, items: [{ name: 'b' }] });
    expect(order).toBeInstanceOf(Order);
    expect(order).toEqual({ ...VALID, gift: { name: 'a' }, items: [{ name: 'b' }] });
    expect([(order as Order).gift, (order as Order).items?.[0]]).toEqual([
      expect.any(Item),
      expect.any(Item),
    ]);
  });

  it('answers in the format of the error contract', async () => {
    const error = await refusal({ to: 'laika', amount: 0 });
    expect(error.getStatus()).toBe(400);
    expect(error.getResponse()).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: 'amount must not be less than 1',
      errorCode: 'validation_failed',
      errors: [{ field: 'amount', messages: ['amount must not be less than 1'] }],
    });
  });

  it('reports every member that is wrong, each with its first problem', async () => {
    const error = await refusal({ to: 5, amount: 'x' });
    expect(errorsOf(error)).toEqual([
      { field: 'to', messages: ['to must be a string'] },
      { field: 'amount', messages: ['amount must be an integer number'] },
    ]);
    expect(error.message).toBe('to must be a string; amount must be an integer number');
  });

  it.each<[string, object, string[]]>([
    ['a member of a member', { gift: {} }, ['gift.name']],
    ['a member of a list, by its index', { items: [{ name: 'a' }, { name: 1 }] }, ['items.1.name']],
    ['an unknown member of a member', { gift: { name: 'a', extra: 1 } }, ['gift.extra']],
    ['an unknown member', { extra: 1 }, ['extra']],
    [
      'several at several depths',
      { extra: 1, gift: { name: 1 }, amount: 0 },
      ['amount', 'extra', 'gift.name'],
    ],
    ['text where a list belongs', { items: 'x' }, ['items']],
    ['a number in words', { amount: '5' }, ['amount']],
    ['a list where text belongs', { to: ['laika'] }, ['to']],
    ['an object where text belongs', { to: { $ne: null } }, ['to']],
  ])('names %s', async (_, change, fields) => {
    expect((await refusedFields({ ...VALID, ...change })).toSorted()).toEqual(fields);
  });

  it.each<[string, unknown, string[]]>([
    ['nothing', undefined, ['to', 'amount']],
    ['null', null, ['to', 'amount']],
    ['an empty list', [], ['to', 'amount']],
    ['a list of one that would be right', [VALID], ['0', 'to', 'amount']],
    ['text', 'text', ['to', 'amount']],
    ['a number', 5, ['to', 'amount']],
  ])('refuses a body that is %s', async (_, body, fields) => {
    expect(await refusedFields(body)).toEqual(fields);
  });

  it.each<[string, unknown]>([
    ['a list of one that would be right', [{ note: 'a' }]],
    ['an unknown member alone', { Note: 'a' }],
  ])('refuses %s where every member is optional', async (_, body) => {
    expect(await refusedFields(body, AllOptional)).toHaveLength(1);
  });

  it('takes an empty body where every member is optional', async () => {
    expect(await validate({}, AllOptional)).toEqual({});
  });

  it('lets no body change the prototype of the DTO', async () => {
    const body: unknown = JSON.parse('{"to":"laika","amount":5,"__proto__":{"isAdmin":true}}');
    expect(await refusedFields(body)).toEqual(['__proto__']);
  });

  it.each(['constructor', 'toString', 'hasOwnProperty'])(
    'refuses %s, which every object has',
    async (name) => {
      expect(await refusedFields({ ...VALID, [name]: 1 })).toEqual([name]);
    },
  );

  const members = (count: number, value: unknown = 1): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, value]));

  it('names 20 unknown members at most, and what else is wrong before them', async () => {
    expect(await refusedFields({ ...members(1_000), ...VALID })).toHaveLength(20);
    expect((await refusedFields({ ...members(15), ...VALID, amount: 0 })).toSorted()).toEqual(
      ['amount', ...Object.keys(members(15))].toSorted(),
    );
  });

  it.each<[string, object]>([
    ['members', { ...members(1_000), ...VALID }],
    ['members of unknown members', { ...members(8, members(800)), ...VALID }],
    [
      'lists in unknown members',
      {
        ...members(
          500,
          Array.from({ length: 38 }, () => []),
        ),
        ...VALID,
      },
    ],
    ['members where text belongs', { ...VALID, to: members(8, members(800)) }],
    [
      'lists where text belongs',
      { ...VALID, to: Array.from({ length: 20 }, () => Array.from({ length: 900 }, () => [])) },
    ],
    ['a list of bodies', Array.from({ length: 900 }, () => ({ ...VALID, a: 1, b: 2, c: 3 }))],
  ])('refuses 60 kB of %s for less than 20 ms of CPU', async (name, body) => {
    const text = JSON.stringify(body);
    const refuse = async () => refusal(JSON.parse(text));
    for (let i = 0; i < 5; i++) await refuse();
    const began = process.cpuUsage();
    for (let i = 0; i < 20; i++) await refuse();
    const { user, system } = process.cpuUsage(began);
    const milliseconds = (user + system) / 1_000 / 20;
    process.stdout.write(`  ${text.length} bytes, ${name}: ${milliseconds.toFixed(1)} ms of CPU\n`);
    expect(milliseconds).toBeLessThan(20);
  });

  it('accepts members that a DTO renames, converts or does not restrict', async () => {
    const body = { deliver_to: { name: 'laika' }, tags: ['a', 'b'], loose: ['c'] };
    expect(await validate(body, Renamed)).toEqual({
      receiver: { name: 'laika' },
      tags: 'a,b',
      loose: ['c'],
    });
    expect(await refusedFields({ ...body, extra: { a: 1 } }, Renamed)).toContain('extra');
  });
});
