/** The content of a mail, from which both text and HTML are made. */
export interface MailContent {
  subject: string;
  /** Plain text, each a paragraph. */
  before: readonly string[];
  link?: { label: string; url: string };
  /** A code to type if the link does not work. */
  code?: string;
  after?: readonly string[];
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, in an element or an attribute with quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

/** Makes both bodies of a mail. No part of the content is read as HTML. @param language of the HTML, as `en` */
export function composeBodies(
  { before, link, code, after = [] }: MailContent,
  language = 'en',
): {
  text: string;
  html: string;
} {
  const codeLine = code === undefined ? [] : [`Code: ${code}`];
  const text = [...before, ...(link ? [`${link.label}:\n${link.url}`] : []), ...codeLine, ...after];
  const paragraph = (inner: string) => `<p>${inner}</p>`;
  const html = [
    ...before.map((each) => paragraph(escapeHtml(each))),
    ...(link ? [paragraph(`<a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a>`)] : []),
    ...codeLine.map((each) => paragraph(`<strong>${escapeHtml(each)}</strong>`)),
    ...after.map((each) => paragraph(escapeHtml(each))),
  ];
  return {
    text: `${text.join('\n\n')}\n`,
    html: `<!doctype html>\n<html lang="${escapeHtml(language)}"><body>\n${html.join('\n')}\n</body></html>\n`,
  };
}
