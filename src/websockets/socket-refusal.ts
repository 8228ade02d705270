import { type ErrorAnswer } from '../auth/index.js';
import { type Refusal } from '../auth/internals.js';

/** The data of the event `exception`: of a refused message, or of the end of a connection. */
export interface SocketRefusal extends ErrorAnswer {
  status: 'error';
  /** The parameters of `WWW-Authenticate` (RFC 6750 §3, RFC 9470 §3). Absent if there are none. */
  challenge?: Refusal['challenge'];
}

export function toSocketRefusal({ answer, challenge }: Pick<Refusal, 'answer' | 'challenge'>): SocketRefusal {
  return {
    status: 'error',
    ...answer,
    ...(Object.keys(challenge).length > 0 && { challenge }),
  };
}
