/** Where a request came from, for its owner to judge. */
export interface Origin {
  /** RFC 3339. */
  at: string;
  ip: string | null;
  userAgent: string | null;
}

interface Common {
  /** The host of `APP_URL`. */
  app: string;
}

interface Link extends Common {
  link: string;
}

/** What each template is given. */
export interface TemplateFacts {
  registration: Link & { origin: Origin };
  already_registered: Common;
  verification: Link & { code: string };
  reset: Link;
  new_device: Common & { origin: Origin };
  factor_added: Common & { origin: Origin };
  factor_removed: Common & { origin: Origin };
  recovery_code_used: Common & { origin: Origin };
  password_changed: Common & { origin: Origin };
  password_reset: Common & { origin: Origin };
  email_changed: Link;
  token_reused: Common & { origin: Origin };
}

export type TemplateName = keyof TemplateFacts;
