import { once } from 'node:events';

/** Listens on a free port, and tells the benchmark which. @param {import('node:http').Server} server */
export async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.send?.({ url: `http://127.0.0.1:${port}` });
}

/** As frameworks do. @param {import('node:http').ServerResponse} response @param {number} status @param {object} value */
export function answerJson(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
