import { registerDecorator } from 'class-validator';
import { parseEmail } from '../users/email-address.js';

/** A name to show, and an address. */
export interface Mailbox {
  name: string;
  address: string;
}

/** Reads `App <no-reply@app.example>` or an address alone. @returns undefined for anything else */
export function parseMailbox(text: string): Mailbox | undefined {
  const [, name = '', bracketed] = /^([^<>"\p{Cc}]{0,64}?)\s*<([^<>]+)>$/u.exec(text.trim()) ?? [];
  const address = parseEmail(bracketed ?? text);
  return address === undefined ? undefined : { name, address };
}

export function IsSender(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isSender',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => typeof value === 'string' && parseMailbox(value) !== undefined,
        defaultMessage: () => 'must be an address like no-reply@app.example or App <no-reply@app.example>',
      },
    });
}
