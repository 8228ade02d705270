/** The build in `dist/`, configured from the environment. */
import { createRequire } from 'node:module';

/** A module of it. @param {string} path @returns {Promise<any>} */
export const dist = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);

/** A package as the product has it, and not as a peer of it does. */
export const ofProduct = createRequire(new URL('../../package.json', import.meta.url));

const limit = '9999999 per 1h';
/** All requests come from one address, and as fast as can be. */
export const ENDLESS = {
  account: limit,
  accountAndAddress: limit,
  address: limit,
  device: limit,
  register: limit,
  refresh: limit,
};

/** @param {object} [limits] instead of the product's own */
export async function loadProduct(limits) {
  const { AppModule, authOptions } = await dist('app.module.js');
  const { loadConfig } = await dist('app.config.js');
  const config = loadConfig(process.env);
  const auth = authOptions(config);
  return { config, appModule: AppModule.forRoot(config, limits ? { ...auth, limits } : auth) };
}
