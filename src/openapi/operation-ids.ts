import { type SwaggerDocumentOptions } from '@nestjs/swagger';
import { type Route } from '../auth/internals.js';

type OperationIdFactory = NonNullable<SwaggerDocumentOptions['operationIdFactory']>;

/** Names the operations for `SwaggerModule`, and remembers which handler each name stands for. */
export class OperationIds {
  private readonly handlers = new Map<string, string>();

  /** @param own the application's factory; without it, operations are named after their handlers */
  constructor(
    private readonly routes: readonly Route[],
    private readonly own?: OperationIdFactory,
  ) {}

  /** @throws Error when two handlers would get the same name: a generated client would lose one of them */
  readonly factory: OperationIdFactory = (controller, methodKey, version) => {
    const handler = `${controller}.${methodKey.replace(/\[\d+\]$/, '')}`;
    const id = this.own?.(controller, methodKey, version) ?? this.nameOf(controller, methodKey, version);
    const other = this.handlers.get(id);
    if (other !== undefined && other !== handler)
      throw new Error(`${other} and ${handler} have the same operation id: ${id}`);
    this.handlers.set(id, handler);
    return id;
  };

  /** Returns undefined for an operation that `@ApiOperation` named, if its path is unknown too. */
  routeOf(id: string, method: string, path: string): Route | undefined {
    // For a handler of all methods, Nest appends the method.
    const handler = this.handlers.get(id) ?? this.handlers.get(id.replace(new RegExp(`_${method}$`), ''));
    return handler === undefined
      ? this.routeAt(method, path)
      : this.routes.find((route) => route.handler === handler);
  }

  /** `list`, or `listTransfers` where several controllers have a handler of that name. */
  private nameOf(controller: string, methodKey: string, version?: string): string {
    const [, method = methodKey, index] = /^(.*?)(?:\[(\d+)\])?$/.exec(methodKey) ?? [];
    const namesakes = this.routes.filter(({ handler }) => handler.endsWith(`.${method}`));
    const isShared = namesakes.some(({ handler }) => handler !== `${controller}.${method}`);
    const name = isShared ? `${method}${controller.replace(/Controller$/, '')}` : method;
    return [name, index, version].filter((part) => part !== undefined).join('_');
  }

  /** A global prefix or a version precedes the declared path, so the longest declared path that matches is used. */
  private routeAt(method: string, path: string): Route | undefined {
    return this.routes
      .filter((route) => ['ALL', method.toUpperCase()].includes(route.method))
      .filter((route) => path.endsWith(route.path.replace(/:(\w+)/g, '{$1}')))
      .toSorted((a, b) => b.path.length - a.path.length)[0];
  }
}
