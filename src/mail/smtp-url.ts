import { registerDecorator } from 'class-validator';

/** The parts of an SMTP URL. */
export interface SmtpServer {
  host: string;
  port: number;
  /** TLS from the first byte. */
  secure: boolean;
  auth?: { user: string; pass: string };
}

const PORTS = { 'smtp:': 587, 'smtps:': 465 } as const;

/** @returns undefined if the text is not an SMTP URL */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if (protocol !== 'smtp:' && protocol !== 'smtps:') return undefined;
  if (hostname === '' || port === '0' || !/^\/?$/.test(pathname) || search !== '' || hash !== '')
    return undefined;
  try {
    const auth = { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
    if ((auth.user === '') !== (auth.pass === '')) return undefined;
    return {
      host: hostname.replace(/^\[(.+)\]$/, '$1'),
      port: port === '' ? PORTS[protocol] : Number(port),
      secure: protocol === 'smtps:',
      ...(auth.user === '' ? {} : { auth }),
    };
  } catch {
    // A % that does not begin an escape.
    return undefined;
  }
}

export function IsSmtpUrl(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isSmtpUrl',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => typeof value === 'string' && parseSmtpUrl(value) !== undefined,
        defaultMessage: () =>
          'must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, with reserved characters percent-encoded',
      },
    });
}
