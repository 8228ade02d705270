import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** The members of a server's options that an authenticator reads. */
interface Options {
  challenge: string;
  rp?: { id?: string };
  rpId?: string;
  user?: { id: string };
}

/** What the browser and the person do differently in this test. */
export interface CeremonyOptions {
  /** The origin of the page that asks. */
  origin?: string;
  /** The site that the authenticator signs for, instead of that of the options. */
  rpId?: string;
  /** Whether a fingerprint or PIN was checked. Default true. */
  userVerified?: boolean;
  /** The signature counter. Default 0, as of passkeys that are synchronised. */
  counter?: number;
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const HAS_CREDENTIAL = 0x40;

/** A WebAuthn authenticator in software, with one credential (ES256), and the browser in front of it. */
export class SoftwareAuthenticator {
  readonly credentialId = randomBytes(32);
  readonly privateKey: KeyObject;
  private readonly publicKey: KeyObject;
  private userHandle = '';

  constructor(private readonly origin: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    this.publicKey = publicKey;
  }

  /** `navigator.credentials.create`: the `toJSON()` of the new credential. */
  create(options: Options, given: CeremonyOptions = {}): object {
    this.userHandle = options.user?.id ?? '';
    const id = this.credentialId.toString('base64url');
    const attested = Buffer.concat([
      Buffer.alloc(16),
      Buffer.from([0, this.credentialId.length]),
      this.credentialId,
      this.coseKey(),
    ]);
    const authData = this.authenticatorData(options, given, attested);
    // CBOR: {"fmt": "none", "attStmt": {}, "authData": bytes}
    const attestationObject = Buffer.concat([
      Buffer.from([0xa3]),
      text('fmt'),
      text('none'),
      text('attStmt'),
      Buffer.from([0xa0]),
      text('authData'),
      bytes(authData),
    ]);
    return {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      authenticatorAttachment: 'platform',
      response: {
        clientDataJSON: this.clientData('webauthn.create', options, given).toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
    };
  }

  /** `navigator.credentials.get`: the `toJSON()` of the assertion. */
  get(options: Options, given: CeremonyOptions = {}): object {
    const id = this.credentialId.toString('base64url');
    const clientData = this.clientData('webauthn.get', options, given);
    const authData = this.authenticatorData(options, given);
    const signature = sign('sha256', Buffer.concat([authData, sha256(clientData)]), this.privateKey);
    return {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: clientData.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: this.userHandle,
      },
    };
  }

  private clientData(
    type: string,
    { challenge }: Options,
    { origin = this.origin }: CeremonyOptions,
  ): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  /** WebAuthn §6.1. */
  private authenticatorData(
    options: Options,
    { rpId, userVerified = true, counter = 0 }: CeremonyOptions,
    attested = Buffer.alloc(0),
  ): Buffer {
    const flags =
      USER_PRESENT | (userVerified ? USER_VERIFIED : 0) | (attested.length > 0 ? HAS_CREDENTIAL : 0);
    const head = Buffer.alloc(5);
    head.writeUInt8(flags, 0);
    head.writeUInt32BE(counter, 1);
    const site = rpId ?? options.rpId ?? options.rp?.id ?? '';
    return Buffer.concat([sha256(Buffer.from(site)), head, attested]);
  }

  /** RFC 9053 §7.1.1: {1: 2, 3: -7, -1: 1, -2: x, -3: y} */
  private coseKey(): Buffer {
    const { x = '', y = '' } = this.publicKey.export({ format: 'jwk' });
    return Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      bytes(Buffer.from(x, 'base64url')),
      Buffer.from([0x22]),
      bytes(Buffer.from(y, 'base64url')),
    ]);
  }
}

/** CBOR of a text of fewer than 24 characters. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)]);
}

/** CBOR of fewer than 256 bytes. */
function bytes(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x58, value.length]), value]);
}

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}
