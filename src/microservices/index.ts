/** The public API of `freshgate/microservices`: needs `@nestjs/microservices`. */
export { MessageWithToken, TokenSerializer } from './message-with-token.js';
export { MessagesModule } from './messages.module.js';
