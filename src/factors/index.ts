/** The public API of second factors. */
export { FactorsModule } from './factors.module.js';
