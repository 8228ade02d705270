/** Fastify and @fastify/jwt, which keeps the tokens that it has verified; all that are shown to it have a place. `LOG`: with Fastify's log. */
import fastifyJwt from '@fastify/jwt';
import { fastify } from 'fastify';
import { ANSWER } from './answer.mjs';
import { SECRET } from './secret.mjs';

const app = fastify({ logger: process.env['LOG'] !== undefined });
await app.register(fastifyJwt, { secret: SECRET, verify: { cache: 2_000 } });
app.get('/bench/guarded', { onRequest: (request) => request.jwtVerify() }, () => ANSWER);
process.send?.({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
