import { GRAPHQL_STACKS } from '../../support/graphql.js';
import { describeMatrix } from '../../transports/graphql-matrix.js';

for (const stack of GRAPHQL_STACKS.filter(({ driver }) => driver === 'apollo')) describeMatrix(stack);
