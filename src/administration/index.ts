/** The public API of the administration module. */
export { AdministrationModule } from './administration.module.js';
export { AccountImport, type ImportLine, type ImportReport } from './import/account-import.js';
