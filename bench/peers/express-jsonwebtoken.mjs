/** Express, and jsonwebtoken with a string. */
import express from 'express';
import jwt from 'jsonwebtoken';
import { createServer } from 'node:http';
import { ANSWER } from './answer.mjs';
import { listen } from './listen.mjs';
import { SECRET } from './secret.mjs';

const app = express();
app.get('/bench/guarded', (request, response) => {
  try {
    jwt.verify((request.headers.authorization ?? '').replace(/^Bearer /, ''), SECRET, {
      algorithms: ['HS256'],
    });
  } catch {
    response.status(401).json({ statusCode: 401 });
    return;
  }
  response.json(ANSWER);
});
await listen(createServer(app));
