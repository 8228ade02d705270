import { getMetadataStorage } from 'class-validator';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { type OptionsClass, variablesOf } from '../../src/config/from-env.js';
import { ROOT } from './documents.js';

/** An option as its declaration tells it: default, validators, comment. */
export interface OptionRow {
  /** `tokens.accessTtl` */
  option: string;
  variable?: string;
  /** As text that an environment would hold; empty where there is none. */
  initial: string;
  /** For people. */
  shownDefault: string;
  values: string;
  meaning: string;
}

interface Source {
  meaning: string;
  /** What `@default` says, where the initial value cannot. */
  shownDefault?: string;
  /** `15m`, of `parseDuration('15m')`. */
  duration?: string;
}

/** The rows of a class and its groups, in the order of their declaration. */
export function rowsOfOptions(type: OptionsClass): OptionRow[] {
  const sources = readSources();
  const variables = new Map(variablesOf(type).map(({ option, name }) => [option, name]));
  const walk = (group: object, path: string): OptionRow[] =>
    Object.entries(group).flatMap(([member, value]: [string, unknown]): OptionRow[] => {
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return walk(value, `${path}${member}.`);
      const source = sources.get(`${group.constructor.name}.${member}`);
      if (!source?.meaning) throw new Error(`${group.constructor.name}.${member} has no comment`);
      const initial = source.duration ?? (Array.isArray(value) ? value.join(',') : scalar(value));
      const option = path + member;
      return [
        {
          option,
          variable: variables.get(option),
          initial,
          shownDefault: source.shownDefault ?? (initial === '' ? 'none' : `\`${initial}\``),
          values: valuesOf(group.constructor, member),
          meaning: source.meaning,
        },
      ];
    });
  return walk(new type(), '');
}

function scalar(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

/** What the validators of a member allow, where it is short enough for a table. */
function valuesOf(type: Function, member: string): string {
  const found = getMetadataStorage()
    .getTargetValidationMetadatas(type, '', false, false)
    .filter(({ propertyName }) => propertyName === member)
    .map(({ name, constraints, each }) => {
      switch (name) {
        case 'isDuration':
          return `\`${constraints[0]}\` to \`${constraints[1]}\``;
        case 'isWholeNumber':
          return `${constraints[0]} to ${constraints[1]}`;
        case 'isBoolean':
          return '`true`, `false`';
        case 'isIn':
          return `${each ? 'list of ' : ''}${constraints[0].map((value: string) => `\`${value}\``).join(', ')}`;
        case 'origins':
          return 'list of origins';
        case 'networks':
          return 'list of addresses, networks';
        default:
          return '';
      }
    });
  return found.find(Boolean) ?? '';
}

/** `TokensGroup.accessTtl` → comment, of every member of every class in files of options. */
function readSources(): Map<string, Source> {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(options|-group|-groups)\.ts$/.test(path),
  );
  const found = new Map<string, Source>();
  for (const path of files) {
    const text = readFileSync(join(ROOT, 'src', path), 'utf8');
    ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true).forEachChild((node) => {
      if (!ts.isClassDeclaration(node)) return;
      for (const member of node.members)
        if (ts.isPropertyDeclaration(member))
          found.set(`${node.name?.text}.${member.name.getText()}`, sourceOf(member));
    });
  }
  return found;
}

function sourceOf(member: ts.PropertyDeclaration): Source {
  const [doc] = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc);
  const text = (comment: Parameters<typeof ts.getTextOfJSDocComment>[0]) =>
    (ts.getTextOfJSDocComment(comment) ?? '').replace(/\s+/g, ' ').trim();
  const tag = doc?.tags?.find(({ tagName }) => tagName.text === 'default');
  const duration = /^parseDuration\('(.+)'\)$/.exec(member.initializer?.getText() ?? '')?.[1];
  return {
    meaning: text(doc?.comment),
    ...(tag && { shownDefault: text(tag.comment) }),
    ...(duration !== undefined && { duration }),
  };
}

/** As Prettier would write it. */
export function markdownTable(head: string[], rows: string[][]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [first = [], ...others] = cells;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)].join('\n');
}
