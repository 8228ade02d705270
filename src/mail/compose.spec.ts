import { expect, it } from '@jest/globals';
import { composeBodies } from './compose.js';

it('makes text and HTML of one content, and reads none of it as HTML', () => {
  const evil = '<img src=x onerror="alert(1)"> & \'co\'';
  const { text, html } = composeBodies({
    subject: evil,
    before: [evil],
    link: { label: evil, url: 'https://app.example/a?b="><script>&c=1' },
    code: '<b>',
    after: [evil],
  });
  expect(text).toBe(`${evil}\n\n${evil}:\nhttps://app.example/a?b="><script>&c=1\n\nCode: <b>\n\n${evil}\n`);
  expect(html.match(/<[^>]+>/g)).toEqual([
    '<!doctype html>',
    '<html lang="en">',
    '<body>',
    '<p>',
    '</p>',
    '<p>',
    '<a href="https://app.example/a?b=&quot;&gt;&lt;script&gt;&amp;c=1">',
    '</a>',
    '</p>',
    '<p>',
    '<strong>',
    '</strong>',
    '</p>',
    '<p>',
    '</p>',
    '</body>',
    '</html>',
  ]);
});
