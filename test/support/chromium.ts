import { describe } from '@jest/globals';
import puppeteer, { type Browser, type CDPSession, type Page, type Protocol } from 'puppeteer-core';
import { CHROMIUM_MISSING, findChromium } from './find-chromium.mjs';

/** Declares tests that need a real browser. */
export const describeChromium = process.env[CHROMIUM_MISSING] === undefined ? describe : describe.skip;

export type Credential = Protocol.WebAuthn.Credential;

/** Starts Chromium without a window. Close it in `afterAll`. */
export async function startChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('there is no Chromium');
  // Its sandbox does not run as root, as in containers; the pages are our own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return puppeteer.launch({ executablePath, args: [...args, '--disable-dev-shm-usage'] });
}

/** An authenticator of a page, by the DevTools protocol: it answers like a phone whose owner always agrees. */
export class VirtualAuthenticator {
  private constructor(
    private readonly cdp: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  static async add(
    page: Page,
    options: Partial<Protocol.WebAuthn.VirtualAuthenticatorOptions> = {},
  ): Promise<VirtualAuthenticator> {
    const cdp = await page.createCDPSession();
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        ...options,
      },
    });
    return new VirtualAuthenticator(cdp, authenticatorId);
  }

  /** The passkeys that it holds, with their private keys and counters. */
  async credentials(): Promise<Credential[]> {
    const { authenticatorId } = this;
    return (await this.cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  }

  /** Gives it a passkey, for example a copy of another one with an older counter. */
  async addCredential(credential: Credential): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp.send('WebAuthn.addCredential', { authenticatorId, credential });
  }

  async clear(): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp.send('WebAuthn.clearCredentials', { authenticatorId });
  }

  /** Whether its owner is verified, by a fingerprint or a PIN. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  }
}
