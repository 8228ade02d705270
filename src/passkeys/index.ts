/** The public API of passkeys. */
export { PasskeysModule } from './passkeys.module.js';
export { PasskeysSettings, PasskeysSettingsError, RelyingParty } from './relying-party.js';
