import { type Response } from 'supertest';
import { type TestApp, type TestUser } from './create-test-app.js';

export interface SetCookie {
  /** As a script reads it in `document.cookie`, and as the browser sends it back. */
  value: string;
  attributes: string[];
}

/** Every cookie that an answer sets, by its name, in the order of the headers. */
export function setCookies(response: Response): Map<string, SetCookie> {
  const headers = (response.headers['set-cookie'] ?? []) as unknown as string[];
  return new Map(
    headers.map((header) => {
      const [pair = '', ...attributes] = header.split('; ');
      const at = pair.indexOf('=');
      return [pair.slice(0, at), { value: pair.slice(at + 1), attributes }];
    }),
  );
}

/** Whether every cookie of ours is taken back, and no other header is among them. */
export function clearsAll(response: Response): boolean {
  const cookies = [...setCookies(response).values()];
  return (
    cookies.length === 3 &&
    cookies.every(({ value, attributes }) => value === '' && attributes.includes('Max-Age=0'))
  );
}

/** What a browser keeps of its answers. Names are found by their ends: prefixes are the application's choice. */
export class Jar {
  private readonly cookies = new Map<string, string>();

  constructor(
    readonly user: TestUser,
    response: Response,
  ) {
    this.keep(response);
  }

  keep(response: Response): this {
    for (const [name, { value }] of setCookies(response)) this.cookies.set(name, value);
    return this;
  }

  /** The `Cookie` header: all of them, or those whose names end so. */
  header(...ends: string[]): string {
    return [...this.cookies]
      .filter(([name]) => ends.length === 0 || ends.some((end) => name.endsWith(end)))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }

  value(end: string): string {
    return [...this.cookies].find(([name]) => name.endsWith(end))?.[1] ?? '';
  }
}

/** A new user, logged in by a page of ours. */
export async function loginInBrowser(api: TestApp): Promise<Jar> {
  const user = await api.user();
  const { username, password } = user;
  const response = await api
    .request('POST', '/auth/login')
    .set('Sec-Fetch-Site', 'same-origin')
    .send({ username, password })
    .expect(200);
  return new Jar(user, response);
}
