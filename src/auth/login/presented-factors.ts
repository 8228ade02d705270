import {
  applyDecorators,
  type CallHandler,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import { type Observable } from 'rxjs';
import { knownMembersOf } from '../dto/bounded-body.js';
import { createValidationPipe } from '../dto/validation.pipe.js';
import { type AuthRequest, requestOf } from '../request/auth-request.js';
import {
  type Factor,
  FactorRegistry,
  type PresentedFactors as Presented,
  type PresentedReplacement as Replacement,
} from '../accounts/factor-registry.js';

const VALID = createValidationPipe();

const ReplacesPassword = Reflector.createDecorator<boolean>();

/**
 * Moves the members of factors out of the body before any pipe sees it: the body's own DTO refuses all other members, and
 * these too if no module adds them.
 */
@Injectable()
export class SeparateFactors implements NestInterceptor {
  constructor(
    private readonly factors: FactorRegistry,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = requestOf(context);
    const replaces = this.reflector.get(ReplacesPassword, context.getHandler()) ?? false;
    const bodies = this.factors.all.flatMap(({ body, insteadOfPassword }) => [
      body,
      replaces ? insteadOfPassword?.body : undefined,
    ]);
    const names = new Set(bodies.flatMap((body) => (body ? [...knownMembersOf(body)] : [])));
    if (isObject(request.body) && names.size > 0) {
      const entries = Object.entries(request.body);
      request.factors = Object.fromEntries(entries.filter(([name]) => names.has(name)));
      request.body = Object.fromEntries(entries.filter(([name]) => !names.has(name)));
    }
    return next.handle();
  }
}

/** Validates the members of factors. */
@Injectable()
export class FactorReader implements PipeTransform<AuthRequest, Promise<Presented>> {
  constructor(private readonly registry: FactorRegistry) {}

  /** @throws ApiError `validation_failed` */
  async transform({ factors = {} }: AuthRequest): Promise<Presented> {
    const presented = new Map<Factor, object>();
    for (const factor of this.registry.all) {
      if (!factor.body) continue;
      const names = knownMembersOf(factor.body);
      const own = Object.entries(factors).filter(([name]) => names.has(name));
      if (own.length === 0) continue;
      const body = Object.fromEntries(own);
      const valid: unknown = await VALID.transform(body, { type: 'body', metatype: factor.body });
      presented.set(factor, valid as object);
    }
    return presented;
  }
}

/** Validates what is presented instead of a password. */
@Injectable()
export class ReplacementReader implements PipeTransform<AuthRequest, Promise<Replacement | undefined>> {
  constructor(private readonly registry: FactorRegistry) {}

  /** @throws ApiError `validation_failed` */
  async transform({ factors = {} }: AuthRequest): Promise<Replacement | undefined> {
    for (const { insteadOfPassword: replacement } of this.registry.all) {
      if (!replacement) continue;
      const names = knownMembersOf(replacement.body);
      const own = Object.entries(factors).filter(([name]) => names.has(name));
      if (own.length === 0) continue;
      const metatype = replacement.body;
      const body: unknown = await VALID.transform(Object.fromEntries(own), { type: 'body', metatype });
      return { replacement, body: body as object };
    }
    return undefined;
  }
}

const RequestItself = createParamDecorator((_: unknown, context: ExecutionContext) => requestOf(context));

/** The factors that the body presents beside a password, for handlers with `@TakesFactors()`. */
export const PresentedFactors = () => RequestItself(FactorReader);

/** What the body presents instead of a password, for handlers with `@TakesFactors({ insteadOfPassword: true })`. */
export const PresentedReplacement = () => RequestItself(ReplacementReader);

/** Tells the OpenAPI document that the body may have the members of factors. */
export const FACTORS = 'x-factors';

export interface TakenFactors {
  /** Whether the body may have, in place of a password and all else, what a factor takes instead of it. */
  insteadOfPassword?: boolean;
}

/** The body may have the members of factors beside those of its DTO. */
export const TakesFactors = (taken: TakenFactors = {}) =>
  applyDecorators(
    UseInterceptors(SeparateFactors),
    ReplacesPassword(taken.insteadOfPassword ?? false),
    ApiExtension(FACTORS, taken),
  );

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
