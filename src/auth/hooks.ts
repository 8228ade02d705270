import { Injectable } from '@nestjs/common';
import { type TokenKind } from '../tokens/token-claims.js';
import { type User } from '../users/user-store.js';
import { type ErrorAnswer } from './errors/error-answer.js';
import { type AuthRequest } from './request/auth-request.js';
import { type Principal, type TokenClaims } from './request/principal.js';

/*
 * Hooks for a team's own rules. Each class is a DI token with a default. Bind another class with
 * `AuthModule.forRoot({ …, providers: [{ provide: TokenRule, useClass: DeviceRule }] })`. It is a provider, so it can
 * inject others. All hooks may be async.
 */

/** Adds claims and JOSE header members to the tokens of a user. Reserved names are refused. */
@Injectable()
export class TokenExtras {
  /** Called for every token that is issued, also at refresh. */
  claims(_user: User, _kind: TokenKind): Record<string, unknown> | Promise<Record<string, unknown>> {
    return {};
  }

  headers(_user: User, _kind: TokenKind): Record<string, unknown> | Promise<Record<string, unknown>> {
    return {};
  }
}

/** Maps users to the `sub` of their tokens and back, for example to an identifier that other systems know. */
@Injectable()
export class SubjectMapper {
  toSubject(user: User): string | Promise<string> {
    return user.id;
  }

  /**
   * Returns the user's id. Called with every request that has a token: avoid the database on frequent routes. By default
   * a foreign issuer's users cannot be ours, even with the same `sub`; override this to trust the issuer to name ours.
   */
  toUserId(claims: TokenClaims, foreignIssuer: string | null): string | Promise<string> {
    return foreignIssuer === null ? claims.sub : `${foreignIssuer}#${claims.sub}`;
  }
}

/** Adds a condition on an otherwise valid token: false refuses it as `token_invalid`. It may also throw an `ApiError`. */
@Injectable()
export class TokenRule {
  /** @param request absent if the token is checked without a request */
  accepts(_claims: TokenClaims, _request?: AuthRequest): boolean | Promise<boolean> {
    return true;
  }
}

/** Adds a reason to revoke a token, besides its session: true refuses it as `token_revoked`. */
@Injectable()
export class RevocationCheck {
  isRevoked(_claims: TokenClaims): boolean | Promise<boolean> {
    return false;
  }
}

/** Loads the value of `@CurrentUser(LoadUser)`. By default it is the account, as in the answer of `/auth/register`. */
export abstract class UserLoader<TUser = unknown> {
  /** Called at most once per request, if the handler uses it. Null refuses the token as `token_revoked`. */
  abstract load(principal: Principal): TUser | null | Promise<TUser | null>;
}

/** Renders the body of every error answer. It cannot change status and headers, such as the challenge. */
@Injectable()
export class ErrorRenderer {
  render(answer: ErrorAnswer, _request: AuthRequest): unknown {
    return answer;
  }
}
