import { Injectable } from '@nestjs/common';
import { evaluateCrossOriginRequest } from '@nestjs/core/security/cross-origin-protection.js';
import { type AuthRequest } from '../request/auth-request.js';
import { ApiError } from '../errors/api-error.js';
import { AuthOptions } from '../options/auth-options.js';
import { CsrfTokens } from './csrf-tokens.js';

/**
 * Refuses requests that another site makes a browser send: a browser adds the cookies to them by itself.
 * Browsers state where a request comes from (Fetch Metadata, Origin), and pages cannot forge it. A client that sends
 * neither must repeat the CSRF cookie's value in a header. Only for tokens from cookies: browsers send nothing else by
 * themselves.
 */
@Injectable()
export class CsrfCheck {
  private readonly trustedOrigins: ReadonlySet<string>;
  private readonly methods: ReadonlySet<string>;

  constructor(
    private readonly tokens: CsrfTokens,
    private readonly options: AuthOptions,
  ) {
    this.trustedOrigins = new Set(options.csrf.trustedOrigins);
    this.methods = new Set(options.csrf.methods.map((method) => method.toUpperCase()));
  }

  /** For a request whose token came in a cookie and was accepted. @throws ApiError `csrf_failed` */
  require(request: AuthRequest): void {
    if (this.methods.has(request.method ?? '')) this.requireProof(request);
  }

  /**
   * As `require`, for every method: the handshake of a WebSocket is a GET that any page can make, and whose answers
   * that page can read.
   * @throws ApiError `csrf_failed`
   */
  requireProof(request: AuthRequest): void {
    if (this.comesFromSite(request)) return;
    const { headerName, cookieName } = this.options.csrf;
    const given = request.headers[headerName.toLowerCase()];
    if (typeof given === 'string' && this.tokens.isOf(request.authInfo?.sid ?? '', given)) return;
    throw new ApiError(
      403,
      'csrf_failed',
      `Send the header ${headerName} with the value of the cookie ${cookieName}`,
      {
        reason: given === undefined ? `no ${headerName}` : `${headerName} does not belong to the session`,
      },
    );
  }

  /**
   * For a request that sets cookies but needs none: another site must not log a visitor in as another user, or out. A
   * client that sends no metadata is not a current browser, and is allowed.
   * @throws ApiError `csrf_failed`
   */
  requireSite(request: AuthRequest): void {
    if (this.methods.has(request.method ?? '')) this.comesFromSite(request);
  }

  /** @returns false if the request does not tell. @throws ApiError `csrf_failed` if it comes from another site */
  private comesFromSite({ headers }: AuthRequest): boolean {
    const { allowed, reason } = evaluateCrossOriginRequest(
      {
        // The caller has already decided whether this method is checked, which may include GET.
        method: 'POST',
        secFetchSite: joined(headers['sec-fetch-site']),
        origin: joined(headers.origin),
        host: joined(headers[':authority']) ?? headers.host,
      },
      { trustedOrigins: this.trustedOrigins },
    );
    if (allowed) return reason !== 'no-browser-headers';
    throw new ApiError(
      403,
      'csrf_failed',
      'Refused: the request was made by a page of another origin, which is not trusted',
      {
        reason: `${reason}: Sec-Fetch-Site ${joined(headers['sec-fetch-site'])}, Origin ${headers.origin}`,
      },
    );
  }
}

/** Repeated headers never equal a value that is trusted. */
function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
