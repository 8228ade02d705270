import { Injectable, type PipeTransform } from '@nestjs/common';

/**
 * For a body that no DTO describes, such as a webhook's: `@Body(Unvalidated) event: unknown`. Without it, such a parameter
 * stops the start, because it usually is a DTO that was imported as a type.
 */
@Injectable()
export class Unvalidated implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}
