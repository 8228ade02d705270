import pluralize from 'pluralize';

/** How the template writes the name in each of its forms; nothing else in it may look like one. */
const SAMPLE = { many: 'sample-things', one: 'sample-thing' };

/** Of what English does with its words; where that is not meant, `--singular` says what is. */
export function singularOf(plural) {
  return pluralize.singular(plural);
}

/** `credit-notes` as TypeScript, SQL and English write it. */
function formsOf(name) {
  const parts = name.split('-');
  const pascal = parts.map((part) => part[0].toUpperCase() + part.slice(1)).join('');
  return [name, parts.join('_'), pascal[0].toLowerCase() + pascal.slice(1), pascal, parts.join(' ')];
}

/** The template's text, or a path of it, with the names of the feature. */
export function rename(text, { many, one }) {
  const pairs = [
    // The plural first: it begins like the singular.
    ...formsOf(SAMPLE.many).map((form, i) => [form, formsOf(many)[i]]),
    ...formsOf(SAMPLE.one).map((form, i) => [form, formsOf(one)[i]]),
  ];
  return pairs.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

export const className = (name) => formsOf(name)[3];
export const tableName = (name) => formsOf(name)[1];
