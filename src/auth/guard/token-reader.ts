import { Injectable } from '@nestjs/common';
import { TokenError } from '../../tokens/token.errors.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type AuthRequest } from '../request/auth-request.js';
import { AuthOptions } from '../options/auth-options.js';
import { type PresentedToken, type TokenLocation } from '../request/presented-token.js';
import { cookiesNamed } from '../request/request-cookies.js';

const ONE_WORD = /^[\x21-\x7e]+$/;

/**
 * For a token that has not been verified before: asked of each, it would be a third of what a known one costs.
 * @throws TokenError `token_invalid`
 */
export function requireSingleToken({ token, location }: PresentedToken): void {
  if (!ONE_WORD.test(token))
    throw new TokenError('token_invalid', `what is in the ${location} is not one word of ASCII`);
}

/** Finds the token of a request. What it says, and whether it is one word, is not looked at here. */
@Injectable()
export class TokenReader {
  private readonly headerName: string;
  private readonly headerScheme: string;

  constructor(private readonly options: AuthOptions) {
    this.headerName = options.locations.headerName.toLowerCase();
    this.headerScheme = options.locations.headerScheme.toLowerCase();
  }

  /**
   * The token in the first of the locations that holds one of the kinds, in their order; null when none does.
   * @throws TokenError `token_invalid` for what is not one token: choosing one of several is how filters are bypassed
   */
  read(
    request: AuthRequest,
    kinds: readonly TokenKind[],
    locations: readonly TokenLocation[] = this.options.locations.order,
  ): PresentedToken | null {
    let found: PresentedToken | null = null;
    // Also those behind the first that holds one: what they hold is a token for no DTO to see.
    for (const location of locations) {
      const values = this.take(location, request, kinds);
      if (values.length > 0) found ??= { token: onlyToken(values, location), location };
    }
    return found;
  }

  /** All values of the first kind that a location holds. Query and body lose theirs: no DTO knows that member. */
  private take(location: TokenLocation, request: AuthRequest, kinds: readonly TokenKind[]): unknown[] {
    if (location === 'header') return this.fromHeader(request);
    const { locations, cookies } = this.options;
    const names = kinds.map((kind) =>
      location === 'cookie' ? cookies[`${kind}Name`] : locations[`${kind}Name`],
    );
    const values = names.map((name) => {
      if (location === 'cookie') return cookiesNamed(request, name);
      return location === 'query' ? fromQuery(request, name) : fromBody(request, name);
    });
    return values.find((found) => found.length > 0) ?? [];
  }

  /** RFC 6750 §2.1. The scheme is case-insensitive (RFC 9110 §11.1); another scheme is no token of ours. */
  private fromHeader(request: AuthRequest): unknown[] {
    const header = request.headers[this.headerName];
    if (typeof header !== 'string') return header ?? [];
    // Node keeps the first of several `Authorization` headers and joins others; only the raw list shows them all.
    const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? [];
    if (linesNamed(this.headerName, raw) > 1) return [header, header];
    const credentials = credentialsOf(header, this.headerScheme);
    return credentials === '' ? [] : [credentials];
  }
}

/** @throws TokenError `token_invalid` */
function onlyToken([token, ...others]: unknown[], location: TokenLocation): string {
  if (others.length > 0) throw new TokenError('token_invalid', `several tokens in the ${location}`);
  if (typeof token === 'string') return token;
  throw new TokenError('token_invalid', `what is in the ${location} is no text`);
}

function linesNamed(name: string, rawHeaders: readonly string[]): number {
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i];
    if (each?.length === name.length && each.toLowerCase() === name) lines++;
  }
  return lines;
}

/** What follows the scheme, or all of it where there is none to be; empty after another scheme. */
function credentialsOf(header: string, scheme: string): string {
  const value = withoutSpaces(header);
  if (scheme === '') return value;
  const end = value.indexOf(' ');
  if (end !== scheme.length || value.slice(0, end).toLowerCase() !== scheme) return '';
  return withoutSpaces(value, end);
}

/** Without those at both ends, in linear time: a pattern that looks for them can be made to take seconds. */
function withoutSpaces(text: string, start = 0): string {
  let end = text.length;
  while (start < end && text[start] === ' ') start++;
  while (end > start && text[end - 1] === ' ') end--;
  return text.slice(start, end);
}

function fromQuery(request: AuthRequest, name: string): unknown[] {
  const [, query = ''] = /^[^?#]*\?([^#]*)/.exec(request.originalUrl ?? request.url ?? '') ?? [];
  const values = new URLSearchParams(query).getAll(name);
  if (values.length > 0) {
    const { [name]: _, ...rest } = request.query ?? {};
    // Defined anew: Express reads the URL again at every look.
    Object.defineProperty(request, 'query', {
      value: rest,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
  return values.filter((value) => value !== '');
}

function fromBody(request: AuthRequest, name: string): unknown[] {
  const { body } = request;
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return [];
  const { [name]: value, ...rest } = body as Record<string, unknown>;
  request.body = rest;
  return [value];
}
