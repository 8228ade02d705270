import pluralize from 'pluralize';

/** The forms of the name in the template; nothing else in it may look like one of them. */
const SAMPLE = { many: 'sample-things', one: 'sample-thing' };

/** The singular by English rules; `--singular` overrides it. */
export function singularOf(plural) {
  return pluralize.singular(plural);
}

/** The forms of `credit-notes` in TypeScript, SQL and English. */
function formsOf(name) {
  const parts = name.split('-');
  const pascal = parts.map((part) => part[0].toUpperCase() + part.slice(1)).join('');
  return [name, parts.join('_'), pascal[0].toLowerCase() + pascal.slice(1), pascal, parts.join(' ')];
}

/** Puts the names of the feature into a text or path of the template. */
export function rename(text, { many, one }) {
  const pairs = [
    // The plural first, because it begins with the singular.
    ...formsOf(SAMPLE.many).map((form, i) => [form, formsOf(many)[i]]),
    ...formsOf(SAMPLE.one).map((form, i) => [form, formsOf(one)[i]]),
  ];
  return pairs.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

export const className = (name) => formsOf(name)[3];
export const tableName = (name) => formsOf(name)[1];
