import { GRAPHQL_STACKS } from '../support/graphql.js';
import { describeMatrix } from './graphql-matrix.js';

/* Apollo is in test/hard. */
for (const stack of GRAPHQL_STACKS.filter(({ driver }) => driver === 'mercurius')) describeMatrix(stack);
