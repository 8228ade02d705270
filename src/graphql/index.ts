/** The declarations on GraphQL resolvers, with Mercurius and with Apollo. An application without GraphQL loads none of it. */
export { GraphqlAuthModule } from './graphql-auth.module.js';
