import { Injectable } from '@nestjs/common';
import { TokenError } from '../../tokens/token.errors.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type AuthRequest } from '../request/auth-request.js';
import { AuthOptions } from '../options/auth-options.js';
import { type PresentedToken, type TokenLocation } from '../request/presented-token.js';
import { cookiesNamed } from '../request/request-cookies.js';

const SINGLE_TOKEN = /^[\x21-\x7e]+$/;

/**
 * Only for tokens that are not in the cache: for a known token it would cost a third of the whole check.
 * @throws TokenError `token_invalid`
 */
export function requireSingleToken({ token, location }: PresentedToken): void {
  if (!SINGLE_TOKEN.test(token))
    throw new TokenError('token_invalid', `the ${location} does not hold a single ASCII token`);
}

/** Finds the token of a request, without checking it. */
@Injectable()
export class TokenReader {
  private readonly headerName: string;
  private readonly headerScheme: string;

  constructor(private readonly options: AuthOptions) {
    this.headerName = options.locations.headerName.toLowerCase();
    this.headerScheme = options.locations.headerScheme.toLowerCase();
  }

  /**
   * Returns the token in the first location that holds one of the kinds, or null.
   * @throws TokenError `token_invalid` for several tokens: a proxy in front might have checked another one
   */
  read(
    request: AuthRequest,
    kinds: readonly TokenKind[],
    locations: readonly TokenLocation[] = this.options.locations.order,
  ): PresentedToken | null {
    let found: PresentedToken | null = null;
    // All locations are read, so that no DTO sees a token of a later location.
    for (const location of locations) {
      const values = this.take(location, request, kinds);
      if (values.length > 0) found ??= { token: onlyToken(values, location), location };
    }
    return found;
  }

  /** Returns all values of the first kind that a location holds, and removes them from query and body for the DTOs. */
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

  /**
   * RFC 6750 §2.1. The scheme is case-insensitive (RFC 9110 §11.1); another scheme holds no token of ours. Malformed
   * credentials of our scheme (`Bearer`, `Basic x, Bearer y`) are an empty token, which is invalid.
   */
  private fromHeader(request: AuthRequest): unknown[] {
    const header = request.headers[this.headerName];
    if (typeof header !== 'string') return header ?? [];
    // Node keeps the first of several `Authorization` headers and joins others; only the raw list shows them all.
    const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? [];
    if (linesNamed(this.headerName, raw) > 1) return [header, header];
    const value = withoutSpaces(header);
    if (this.headerScheme === '') return value === '' ? [] : [value];
    if (hasScheme(value, this.headerScheme)) return [credentialsOf(value, this.headerScheme)];
    // Not a list by RFC 9110, but proxies join two headers by a comma.
    return value.split(',').some((part) => hasScheme(withoutSpaces(part), this.headerScheme)) ? [''] : [];
  }
}

/** @throws TokenError `token_invalid` */
function onlyToken([token, ...others]: unknown[], location: TokenLocation): string {
  if (others.length > 0) throw new TokenError('token_invalid', `several tokens in the ${location}`);
  if (typeof token === 'string') return token;
  throw new TokenError('token_invalid', `the token in the ${location} is not a string`);
}

function linesNamed(name: string, rawHeaders: readonly string[]): number {
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i];
    if (each?.length === name.length && each.toLowerCase() === name) lines++;
  }
  return lines;
}

/** A character of a scheme's name (`token` of RFC 9110 §5.6.2). */
const SCHEME_CHARACTER = /[!#$%&'*+.^_`|~0-9A-Za-z-]/;

/** Whether a credential is of our scheme, well-formed or not. */
function hasScheme(credential: string, scheme: string): boolean {
  const next = credential[scheme.length];
  return (
    credential.slice(0, scheme.length).toLowerCase() === scheme &&
    (next === undefined || !SCHEME_CHARACTER.test(next))
  );
}

/** Returns the token after the scheme and a space, or an empty text. */
function credentialsOf(credential: string, scheme: string): string {
  return credential[scheme.length] === ' ' ? withoutSpaces(credential, scheme.length) : '';
}

/** Trims both ends in linear time: a regular expression could be made to take seconds. */
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
    // Redefined, because Express parses the URL with each access.
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
