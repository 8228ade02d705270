import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HttpException } from '@nestjs/common';
import { type BodyBounds } from './body-bounds.js';
import { parseBody } from './json-body.js';

const WIDE: BodyBounds = { bytes: 65_536, members: 1_000_000, levels: 32 };

const parse = (text: string, bounds = WIDE): unknown => parseBody(Buffer.from(text), bounds);

/** The message of the refusal, or undefined for what is taken. */
function refusal(text: string, bounds = WIDE): string | undefined {
  try {
    parse(text, bounds);
    return undefined;
  } catch (error) {
    if (error instanceof HttpException && error.errorCode === 'validation_failed') return error.message;
    throw error;
  }
}

/** Without the names that are refused even if they are not repeated. */
const name = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      'a',
      'b',
      '"',
      '\\',
      '\\"',
      ':',
      '{',
      '}',
      '[',
      ',',
      '":',
      '\\u0061',
      'toString',
      '',
      ' ',
    ),
  )
  .filter((text) => text !== '__proto__' && text !== 'constructor');

/** Documents that do not repeat a member, at most 8 levels deep. */
const document = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 8, withCrossShrink: true },
    fc.oneof(
      fc.string({ unit: 'binary' }),
      name,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(name, tie('any'), { maxKeys: 5 }),
  ),
})).any;

/** The same document in another spelling: white space, and escapes where none are needed. */
function spell(value: unknown, spaces: string, escaped: boolean): string {
  const gap = spaces;
  if (typeof value === 'string') return escaped ? escapeAll(value) : JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[${gap}${value.map((item) => spell(item, spaces, escaped)).join(`${gap},${gap}`)}${gap}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, item]) => `${spell(key, spaces, escaped)}${gap}:${gap}${spell(item, spaces, escaped)}`,
  );
  return `{${gap}${members.join(`${gap},${gap}`)}${gap}}`;
}

function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) =>
    text.charCodeAt(i).toString(16).padStart(4, '0'),
  );
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

const spaces = fc.constantFrom('', ' ', '\n', '\t \r\n');

describe('a JSON body', () => {
  it('that repeats no member is read as JSON.parse reads it, however it is written', () => {
    fc.assert(
      fc.property(document, spaces, fc.boolean(), (value, gap, escaped) => {
        const text = spell(value, gap, escaped);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('that repeats one somewhere is refused, also when its name is written in another way', () => {
    const members = fc.dictionary(name, document, { maxKeys: 4 });
    const surroundings = fc.array(fc.oneof(fc.constant('list'), name), { maxLength: 6 });
    fc.assert(
      fc.property(
        members,
        name,
        document,
        document,
        surroundings,
        spaces,
        fc.boolean(),
        (others, twin, first, second, path, gap, escaped) => {
          const pairs = Object.entries(others)
            .filter(([key]) => key !== twin)
            .map(([key, value]) => `${JSON.stringify(key)}:${spell(value, gap, false)}`);
          const one = `${JSON.stringify(twin)}${gap}:${spell(first, gap, false)}`;
          const two = `${spell(twin, gap, escaped)}:${spell(second, gap, escaped)}`;
          const repeated = `{${[one, ...pairs, two].join(`,${gap}`)}}`;
          const text = path.reduce(
            (inner, step) => (step === 'list' ? `[1,${inner}]` : `{${JSON.stringify(step)}:${inner}}`),
            repeated,
          );
          expect(refusal(text)).toMatch(/^body has the member "/);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    '{"a":{"b":1},"c":{"b":1}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a"}',
    '{"a":{"a":{"a":1}}}',
    '{"a":["a","a",{"a":"\\"a\\":"}]}',
    '{"a":"\\",\\"a\\":1","b":"\\\\"}',
    '{"a":1,"A":1}',
    '{"é":1,"e\u0301":1}',
    '"{\\"a\\":1,\\"a\\":1}"',
  ])('is not mistaken for one that repeats a member: %s', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each(['{"a":1,"a":1}', '{"a":{},"a":[]}', '{"a":{"a":1},"a":1}', '{"":1,"":1}', '{"a":1,"\\u0061":1}'])(
    'is refused that repeats one: %s',
    (text) => {
      expect(refusal(text)).toContain('twice');
    },
  );

  it.each([
    '{"__proto__":1}',
    '{"__pro\\u0074o__":{}}',
    '[{"a":{"__proto__":{"x":1}}}]',
    '{"constructor":{"prototype":{}}}',
    '{"constructor":{"a":1,"prototype":{}}}',
  ])('#93 is refused for a member that is meant for a prototype: %s', (text) => {
    expect(refusal(text)).toMatch(/has the member "(__pro.*o__|prototype)", which is not allowed$/);
  });

  it.each(['{"prototype":{}}', '{"constructor":1}', '{"constructor":{"a":{"prototype":1}}}'])(
    'may use the same names where they do nothing: %s',
    (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    },
  );

  const SMALL: BodyBounds = { bytes: 8_192, members: 3, levels: 2 };

  it.each(['{"a":1,"b":2,"c":3}', '[1,[1,2,3],3]', '{"a":[1,2,3],"b":[1,2,3],"c":"a,b,c,d,e"}'])(
    '#88 is taken within the bound on members: %s',
    (text) => {
      expect(parse(text, SMALL)).toEqual(JSON.parse(text));
    },
  );

  it.each([
    '{"a":1,"b":2,"c":3,"d":4}',
    '[1,2,3,4]',
    '{"a":[1,2,3,4]}',
    '{"a":[],"b":1,"c":2,"d":3}',
    '[,,,,,,',
  ])('#88 is refused beyond it: %s', (text) => {
    expect(refusal(text, SMALL)).toBe('body has more than 3 members on one level');
  });

  it.each(['{', '"a', '"a\\', "{'a':1}", '{"a":1,}', '[1] [2]', 'NaN', '01', ' ', '\u0000'])(
    'is refused as invalid JSON: %j',
    (text) => {
      expect(refusal(text)).toBe('body is not valid JSON');
    },
  );

  it('is undefined if nothing was sent', () => {
    expect(parse('')).toBeUndefined();
  });

  it.each([
    [32, 'taken'],
    [33, 'refused'],
  ])('of %i levels is %s', (levels, outcome) => {
    const lists = '['.repeat(levels) + ']'.repeat(levels);
    const objects = '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
    for (const text of [lists, objects]) {
      expect(refusal(text)).toBe(outcome === 'taken' ? undefined : 'body is nested more than 32 levels deep');
    }
  });

  it.each<[string, string]>([
    ['backslashes', `["${'\\\\'.repeat(1_000_000)}"]`],
    ['backslashes without an end', `["${'\\\\'.repeat(1_000_000)}`],
    ['an odd one', `["${'\\\\'.repeat(1_000_000)}\\`],
    ['quotes', `["${'\\"'.repeat(1_000_000)}"]`],
    ['strings that never end', '"\\"'.repeat(600_000)],
    ['openings', '['.repeat(2_000_000)],
    ['closings', ']'.repeat(2_000_000)],
    ['pairs', `[${'[],'.repeat(600_000)}[]]`],
    ['strings before spaces and no colon', `[${`"a"${' '.repeat(99)},`.repeat(20_000)}1]`],
    ['one string before spaces', `["a"${' '.repeat(2_000_000)}]`],
    ['spaces before a colon', `{"a"${' '.repeat(2_000_000)}:1}`],
    ['members', `{${Array.from({ length: 150_000 }, (_, i) => `"k${i}":${i}`).join()}}`],
    ['a long name', `{"${'a'.repeat(2_000_000)}":1}`],
  ])('of 2 MB of %s is read in linear time', (_, text) => {
    // The processor's time: a busy machine is no fault of the parser.
    const before = process.cpuUsage();
    refusal(text);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5_000);
  });
});
