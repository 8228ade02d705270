import { describe, expect, it } from '@jest/globals';
import { parseSmtpUrl } from './smtp-url.js';

describe('parseSmtpUrl', () => {
  it.each([
    ['smtp://mail.example', { host: 'mail.example', port: 587, secure: false }],
    ['smtps://mail.example', { host: 'mail.example', port: 465, secure: true }],
    ['smtp://127.0.0.1:2525/', { host: '127.0.0.1', port: 2525, secure: false }],
    ['smtp://[::1]:25', { host: '::1', port: 25, secure: false }],
    [
      'smtps://a%40b.example:p%3Aw@mail.example:1465',
      {
        host: 'mail.example',
        port: 1465,
        secure: true,
        auth: { user: 'a@b.example', pass: 'p:w' },
      },
    ],
  ])('reads %s', (url, server) => {
    expect(parseSmtpUrl(url)).toEqual(server);
  });

  it.each([
    '',
    'mail.example',
    'https://mail.example',
    'smtp://',
    'smtp://mail.example:0',
    'smtp://mail.example:99999',
    'smtp://user@mail.example',
    'smtp://:password@mail.example',
    'smtp://user:100%@mail.example',
    'smtp://mail.example/path',
    'smtp://mail.example?pool=true',
    'smtp://mail.example#a',
  ])('refuses %j', (url) => {
    expect(parseSmtpUrl(url)).toBeUndefined();
  });
});
