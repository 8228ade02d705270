/** Gateways with the declarations of `freshgate`. Needs `@nestjs/websockets` and an adapter for it. */
export { GatewaysModule } from './gateways.module.js';
export { type GatewaysSettings } from './gateways.options.js';
export { type SocketRefusal } from './socket-refusal.js';
export { Sockets } from './sockets.js';
