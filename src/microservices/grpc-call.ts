import { GrpcStatus } from '@nestjs/microservices';

/*
 * What we use of a call of @grpc/grpc-js. The package is not imported: an application without gRPC has not installed it,
 * and a call brings everything that is needed.
 */

export interface GrpcMetadata {
  get(key: string): (string | Buffer)[];
  getMap(): Record<string, string | Buffer>;
  clone(): GrpcMetadata;
  set(key: string, value: string): void;
  remove(key: string): void;
}

export interface GrpcCall {
  readonly metadata: GrpcMetadata;
  /** `/library.Books/List`. */
  getPath(): string;
  emit(event: 'error', error: unknown): boolean;
  once(event: 'close' | 'cancelled', listener: () => void): unknown;
}

/** Answers a call with one response. */
export type GrpcCallback = (error: unknown) => void;

/**
 * Finds the call in the arguments of a handler: the third, or the first with `@GrpcStreamCall`. A payload cannot look like
 * a call, because it has no functions.
 */
export function grpcCallOf([first, , third]: readonly unknown[]): GrpcCall | undefined {
  return [third, first].find(isGrpcCall);
}

function isGrpcCall(value: unknown): value is GrpcCall {
  const { getPath, metadata } = Object(value) as Partial<GrpcCall>;
  return typeof getPath === 'function' && typeof metadata?.getMap === 'function';
}

/** Whether messages go on after the call has been accepted, in either direction. */
export function isGrpcStream(call: GrpcCall): boolean {
  return 'read' in call || 'write' in call;
}

/** gRPC accepts printable ASCII only. */
const NOT_PRINTABLE = /[^\x20-\x7e]/g;

/** Makes metadata for the end of a call, of the class of its own metadata. */
export function trailersOf({ metadata }: GrpcCall, entries: Readonly<Record<string, string>>): GrpcMetadata {
  const trailers = metadata.clone();
  for (const key of Object.keys(trailers.getMap())) trailers.remove(key);
  for (const [key, value] of Object.entries(entries))
    trailers.set(key.toLowerCase(), value.replace(NOT_PRINTABLE, ''));
  return trailers;
}

/** The gRPC code for each HTTP status, after google.rpc.Code. */
const GRPC_CODES: Readonly<Record<number, GrpcStatus>> = {
  401: GrpcStatus.UNAUTHENTICATED,
  403: GrpcStatus.PERMISSION_DENIED,
  404: GrpcStatus.NOT_FOUND,
  409: GrpcStatus.ABORTED,
  429: GrpcStatus.RESOURCE_EXHAUSTED,
  503: GrpcStatus.UNAVAILABLE,
};

export function grpcCodeOf(status: number): GrpcStatus {
  return GRPC_CODES[status] ?? (status < 500 ? GrpcStatus.INVALID_ARGUMENT : GrpcStatus.INTERNAL);
}
