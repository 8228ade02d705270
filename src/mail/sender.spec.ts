import { describe, expect, it } from '@jest/globals';
import { parseMailbox } from './sender.js';

describe('parseMailbox', () => {
  it.each([
    ['no-reply@app.example', { name: '', address: 'no-reply@app.example' }],
    ['App <no-reply@app.example>', { name: 'App', address: 'no-reply@app.example' }],
    ['Café du Chien<no-reply@app.example>', { name: 'Café du Chien', address: 'no-reply@app.example' }],
    ['<no-reply@app.example>', { name: '', address: 'no-reply@app.example' }],
  ])('reads %s', (text, mailbox) => {
    expect(parseMailbox(text)).toEqual(mailbox);
  });

  it.each([
    '',
    'App',
    'App <>',
    'App <a@app.example',
    'App <a@app.example>, b@app.example',
    'a@app.example, b@app.example',
    'App\r\nBcc: b@app.example <a@app.example>',
    '"App" <a@app.example>',
  ])('refuses %j', (text) => {
    expect(parseMailbox(text)).toBeUndefined();
  });
});
