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
import { ApiExtension } from '@nestjs/swagger';
import { type Observable } from 'rxjs';
import { knownMembersOf } from '../dto/bounded-body.js';
import { createValidationPipe } from '../dto/validation.pipe.js';
import { type AuthRequest, requestOf } from '../request/auth-request.js';
import {
  type Factor,
  FactorRegistry,
  type PresentedFactors as Presented,
} from '../accounts/factor-registry.js';

const VALID = createValidationPipe();

/**
 * Moves the members of factors out of the body before any pipe sees it: the body's own DTO refuses all other members, and
 * these too if no module adds them.
 */
@Injectable()
export class SeparateFactors implements NestInterceptor {
  constructor(private readonly factors: FactorRegistry) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = requestOf(context);
    const names = new Set(this.factors.all.flatMap(({ body }) => (body ? [...knownMembersOf(body)] : [])));
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

const RequestItself = createParamDecorator((_: unknown, context: ExecutionContext) => requestOf(context));

/** The factors that the body presents beside a password, for handlers with `@TakesFactors()`. */
export const PresentedFactors = () => RequestItself(FactorReader);

/** Tells the OpenAPI document that the body may have the members of factors. */
export const FACTORS = 'x-factors';

/** The body may have the members of factors beside those of its DTO. */
export const TakesFactors = () =>
  applyDecorators(UseInterceptors(SeparateFactors), ApiExtension(FACTORS, true));

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
