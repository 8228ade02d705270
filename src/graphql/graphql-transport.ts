import { type ArgumentsHost, type ExecutionContext, Injectable } from '@nestjs/common';
import { GqlArgumentsHost, GqlExecutionContext } from '@nestjs/graphql';
import {
  GraphQLError,
  type GraphQLResolveInfo,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { AuthOptions } from '../auth/index.js';
import {
  AdaptsTransport,
  type Call,
  type Refusal,
  SharedChecks,
  type TransportAdapter,
} from '../auth/internals.js';
import { toGraphqlError } from './graphql-error.js';
import { copyOf, socketRequest, type Source, sourceOf } from './graphql-request.js';

type GqlContext = Readonly<Record<string, unknown>>;

/** Brings resolvers to the guard. */
@Injectable()
@AdaptsTransport({ type: 'graphql', handlers: ['resolver', 'field'] })
export class GraphqlTransport implements TransportAdapter {
  /** The calls of root fields by operation and key: Apollo and Mercurius may share a context between batched operations. */
  private readonly roots = new WeakMap<
    GqlContext,
    Map<OperationDefinitionNode, Map<string | number, Call>>
  >();
  private readonly shared = new WeakMap<object, SharedChecks>();
  private readonly headerName: string;

  constructor(options: AuthOptions) {
    this.headerName = options.locations.headerName.toLowerCase();
  }

  open(context: ExecutionContext): Call {
    const { gqlContext, info } = partsOf(context);
    const source = sourceOf(gqlContext);
    requirePost(source, info);
    const request = source.connection ? socketRequest(source, this.headerName) : copyOf(source.request);
    const scope = this.sharingOf(source, gqlContext, info);
    if (scope) request.shared = this.sharedBy(scope);
    const call = { request, response: source.response };
    if (!info.path.prev) this.rootsOf(gqlContext, info).set(info.path.key, call);
    return call;
  }

  /** New for each call of a resolver. */
  keyOf(context: ExecutionContext): object {
    return partsOf(context).info;
  }

  parentOf(context: ExecutionContext): Call | undefined {
    const { gqlContext, info } = partsOf(context);
    return this.rootsOf(gqlContext, info).get(rootKeyOf(info));
  }

  owns(exception: unknown): boolean {
    return exception instanceof GraphQLError;
  }

  refuse(refusal: Refusal): never {
    throw refusal.exception instanceof GraphQLError ? refusal.exception : toGraphqlError(refusal);
  }

  scopeOf(host: ArgumentsHost): object {
    return GqlArgumentsHost.create(host).getContext<GqlContext>();
  }

  describe(host: ArgumentsHost): string {
    const { parentType, fieldName } = GqlArgumentsHost.create(host).getInfo<GraphQLResolveInfo>();
    return `${parentType.name}.${fieldName}`;
  }

  /**
   * Returns the object that stands for the calls that share checks. All fields of a query share them, because they run at
   * once. A mutation may revoke the session before the next one runs, and a subscription goes on for hours: there, only
   * the fields of one result share checks.
   */
  private sharingOf(
    { request, connection }: Source,
    gqlContext: GqlContext,
    info: GraphQLResolveInfo,
  ): object | undefined {
    const { operation } = info.operation;
    if (operation === OperationTypeNode.QUERY) return connection ? info.variableValues : request;
    if (!info.path.prev) return undefined;
    return operation === OperationTypeNode.MUTATION
      ? this.rootsOf(gqlContext, info).get(rootKeyOf(info))
      : info.variableValues;
  }

  private sharedBy(scope: object): SharedChecks {
    let shared = this.shared.get(scope);
    if (!shared) this.shared.set(scope, (shared = new SharedChecks()));
    return shared;
  }

  private rootsOf(gqlContext: GqlContext, { operation }: GraphQLResolveInfo): Map<string | number, Call> {
    let operations = this.roots.get(gqlContext);
    if (!operations) this.roots.set(gqlContext, (operations = new Map()));
    let roots = operations.get(operation);
    if (!roots) operations.set(operation, (roots = new Map()));
    return roots;
  }
}

/**
 * The origin of cookies is not checked for GET and HEAD, and Mercurius runs mutations sent by HEAD.
 * @throws GraphQLError
 */
function requirePost({ request, connection }: Source, { operation }: GraphQLResolveInfo): void {
  if (operation.operation !== OperationTypeNode.MUTATION || connection) return;
  if (request.method === 'GET' || request.method === 'HEAD')
    throw new GraphQLError('Send mutations by POST', { extensions: { code: 'BAD_REQUEST' } });
}

function partsOf(context: ExecutionContext): { gqlContext: GqlContext; info: GraphQLResolveInfo } {
  const gql = GqlExecutionContext.create(context);
  return { gqlContext: gql.getContext<GqlContext>(), info: gql.getInfo<GraphQLResolveInfo>() };
}

function rootKeyOf({ path }: GraphQLResolveInfo): string | number {
  let root = path;
  while (root.prev) root = root.prev;
  return root.key;
}
