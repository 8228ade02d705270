import { afterAll, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { FileMailer } from './file-mailer.js';

const folder = mkdtempSync(join(tmpdir(), 'freshgate-mail-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('writes a file that only its owner reads, and a line with the link', async () => {
  const lines: string[] = [];
  const to = join(folder, 'mail');
  const mailer = new FileMailer(to, { name: 'App', address: 'a@app.example' }, (line) => lines.push(line));
  const link = 'http://localhost:3000/password/reset?token=abc.def';
  const content = { subject: 'Grüße', text: `Hello\n${link}\n`, html: '<p>Hello</p>' };
  await mailer.send({ id: 'one', to: 'cosmo@example.com', ...content, link });
  expect(readdirSync(to)).toEqual(['one.eml']);
  const path = join(to, 'one.eml');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const mail = await simpleParser(readFileSync(path));
  expect(mail).toMatchObject({ subject: 'Grüße', text: content.text, html: content.html });
  expect(lines).toEqual([`mail to cosmo@example.com: "Grüße" ${link} (${path})`]);
});
