/** What other features may import. */
export { SampleThingsModule } from './sample-things.module.js';
export { SampleThingsService } from './sample-things.service.js';
