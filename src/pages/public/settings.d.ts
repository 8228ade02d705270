/** `/assets/settings.js`, which the server writes: `PagesController.getSettings`. */
declare const settings: {
  mode: 'header' | 'cookie';
  loginName: 'username' | 'email';
  registration: 'open' | 'closed';
  /** Whether the server can send mails. */
  mail: boolean;
};
export default settings;
