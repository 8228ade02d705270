import { Injectable } from '@nestjs/common';
import { type TokenKind } from '../tokens/token-claims.js';
import { type User } from '../users/user-store.js';
import { type AuthRequest } from './request/auth-request.js';
import { type Principal, type TokenClaims } from './request/principal.js';

/*
 * Where a team puts its own rules: each class is a DI token with a default that does nothing. Bind another one with
 * `AuthModule.forRoot({ …, providers: [{ provide: TokenCheck, useClass: DeviceCheck }] })`; it is a provider like any
 * other, so it injects what it needs. All of them may be async.
 */

/** More claims and JOSE header members for the tokens of a user. Those that the tokens have anyway are refused. */
@Injectable()
export class TokenExtras {
  /** Asked with every token that is issued, also at refresh. */
  claims(_user: User, _kind: TokenKind): Record<string, unknown> | Promise<Record<string, unknown>> {
    return {};
  }

  headers(_user: User, _kind: TokenKind): Record<string, unknown> | Promise<Record<string, unknown>> {
    return {};
  }
}

/** What the `sub` of a token says of a user; for example an identifier that other systems know. */
@Injectable()
export class SubjectMapper {
  toSubject(user: User): string | Promise<string> {
    return user.id;
  }

  /**
   * The user's id, with every token that is shown: keep it out of the database where routes are hot. A foreign
   * issuer's users are kept apart from ours, which may bear the same names; who trusts it to name ours says so here.
   */
  toUserId(claims: TokenClaims, foreignIssuer: string | null): string | Promise<string> {
    return foreignIssuer === null ? claims.sub : `${foreignIssuer}#${claims.sub}`;
  }
}

/** One more condition on a token that is otherwise good: false refuses it as `token_invalid`. Or throw an `ApiError`. */
@Injectable()
export class TokenRule {
  /** @param request absent where a token is checked without one */
  accepts(_claims: TokenClaims, _request?: AuthRequest): boolean | Promise<boolean> {
    return true;
  }
}

/** Another reason than the session's end for which a token is revoked; true refuses it as `token_revoked`. */
@Injectable()
export class RevocationCheck {
  isRevoked(_claims: TokenClaims): boolean | Promise<boolean> {
    return false;
  }
}

/** What `@CurrentUser(LoadUser)` gives. Without a class of the team's it is the account as `/auth/register` answers it. */
export abstract class UserLoader<TUser = unknown> {
  /** At most once in a request, and only when asked for. Null refuses the token as `token_revoked`. */
  abstract load(principal: Principal): TUser | null | Promise<TUser | null>;
}

/** The members that every error answer has by default. */
export interface ErrorAnswer {
  statusCode: number;
  error: string;
  message: string;
  errorCode: string;
  [more: string]: unknown;
}

/** The body of every error answer. Status and headers, the challenge among them, are not its business. */
@Injectable()
export class ErrorRenderer {
  render(answer: ErrorAnswer, _request: AuthRequest): unknown {
    return answer;
  }
}
