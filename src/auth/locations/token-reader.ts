import { Injectable } from '@nestjs/common';
import { TokenError } from '../../tokens/token.errors.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type AuthRequest } from '../request/auth-request.js';
import { AuthOptions, type TokenLocation } from '../options/auth-options.js';
import { cookiesNamed } from './request-cookies.js';

/** A token as a request shows it. */
export interface PresentedToken {
  token: string;
  location: TokenLocation;
}

const ONE_WORD = /^[\x21-\x7e]+$/;

/** Finds the token of a request. Which claims it makes is not looked at here. */
@Injectable()
export class TokenReader {
  constructor(private readonly options: AuthOptions) {}

  /**
   * The token in the first of the locations that holds one of the kinds, in their order; null when none does.
   * @throws TokenError `token_invalid` for what is not one token: choosing one of several is how filters are bypassed
   */
  read(
    request: AuthRequest,
    kinds: readonly TokenKind[],
    locations: readonly TokenLocation[] = this.options.locations.order,
  ): PresentedToken | null {
    const found = locations.map((location) => ({ location, values: this.take(location, request, kinds) }));
    const first = found.find(({ values }) => values.length > 0);
    if (!first) return null;
    const [token, ...others] = first.values;
    if (others.length > 0) throw new TokenError('token_invalid', `several tokens in the ${first.location}`);
    if (typeof token !== 'string' || !ONE_WORD.test(token)) {
      throw new TokenError('token_invalid', `what is in the ${first.location} is not one word of ASCII`);
    }
    return { token, location: first.location };
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
    const { headerName, headerScheme } = this.options.locations;
    const name = headerName.toLowerCase();
    const header = request.headers[name];
    if (typeof header !== 'string') return header ?? [];
    const words = header.split(' ').filter((word) => word !== '');
    if (headerScheme !== '' && words.shift()?.toLowerCase() !== headerScheme.toLowerCase()) words.length = 0;
    // Node keeps the first of several `Authorization` headers and joins others; only the raw list shows them all.
    const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? [];
    const lines = raw.filter((entry, i) => i % 2 === 0 && entry.toLowerCase() === name).length;
    if (lines > 1) return [header, header];
    return words.length > 0 ? [words.join(' ')] : [];
  }
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
