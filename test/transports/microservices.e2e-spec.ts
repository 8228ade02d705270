import { describe } from '@jest/globals';
import { grpc, tcp } from '../support/message-doors.js';
import { describeDoors } from '../support/message-matrix.js';

describe.each([
  ['TCP', tcp],
  ['gRPC', grpc],
])('messages of %s', (_name, transportOf) => describeDoors(transportOf));
