import { GraphQLError } from 'graphql';
import { type Refusal } from '../auth/internals.js';

/** The codes of Apollo's clients; other errors have their `errorCode` in capitals. */
const CODE_OF_STATUS: Record<number, string> = {
  400: 'BAD_USER_INPUT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  500: 'INTERNAL_SERVER_ERROR',
};

/**
 * Converts an error answer to a GraphQL error: `extensions` has its members, a `code`, the requirements of a step-up, and
 * the headers that it would have over HTTP. The exception is left out, because drivers would show it.
 */
export function toGraphqlError({ answer, challenge, headers }: Refusal): GraphQLError {
  const { message, error: _, ...members } = answer;
  const { max_age, acr_values } = challenge;
  return new GraphQLError(message, {
    extensions: {
      code: CODE_OF_STATUS[answer.statusCode] ?? answer.errorCode.toUpperCase(),
      ...members,
      ...(max_age !== undefined && { max_age }),
      ...(acr_values !== undefined && { acr_values }),
      ...(Object.keys(headers).length > 0 && { headers }),
    },
  });
}
