/** Settings that change the pages. A class, so that it is its own DI token. */
export abstract class PagesSettings {
  abstract readonly on: boolean;
  abstract readonly loginName: 'username' | 'email';
}
