import { Injectable } from '@nestjs/common';
import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { type Passkey } from './passkeys.table.js';
import { RelyingParty } from './relying-party.js';

/** COSE: ES256, EdDSA, RS256. */
const ALGORITHMS = [-7, -8, -257];
/** Milliseconds that a browser waits for the user: the life of a challenge. */
const TIMEOUT_MS = 300_000;

type Library = typeof import('@simplewebauthn/server');
type Helpers = typeof import('@simplewebauthn/server/helpers');
export type CreationOptions = PublicKeyCredentialCreationOptionsJSON;
export type RequestOptions = PublicKeyCredentialRequestOptionsJSON;

/** A passkey as its registration proved it. */
export type NewPasskey = Pick<Passkey, 'credential_id' | 'public_key' | 'counter' | 'transports'>;

/** The ceremonies of WebAuthn. The library costs half a second of CPU and 27 MB, so it is loaded at the first use. */
@Injectable()
export class WebAuthn {
  private loaded: Promise<[Library, Helpers]> | undefined;

  constructor(private readonly party: RelyingParty) {}

  async creationOptions(
    user: { name: string; handle: Buffer },
    challenge: Buffer,
    relyingPartyName: string,
    existing: readonly Passkey[],
  ): Promise<CreationOptions> {
    const [library] = await this.load();
    return library.generateRegistrationOptions({
      rpName: relyingPartyName,
      rpID: this.party.id,
      userName: user.name,
      userDisplayName: user.name,
      userID: Uint8Array.from(user.handle),
      challenge: Uint8Array.from(challenge),
      timeout: TIMEOUT_MS,
      attestationType: 'none',
      excludeCredentials: existing.map(descriptorOf),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      supportedAlgorithmIDs: ALGORITHMS,
    });
  }

  /** @param allowed empty for a login without a name */
  async requestOptions(challenge: Buffer, allowed: readonly Passkey[]): Promise<RequestOptions> {
    const [library] = await this.load();
    return library.generateAuthenticationOptions({
      rpID: this.party.id,
      challenge: Uint8Array.from(challenge),
      timeout: TIMEOUT_MS,
      userVerification: 'required',
      ...(allowed.length > 0 ? { allowCredentials: allowed.map(descriptorOf) } : {}),
    });
  }

  /** @throws Error for anything but a valid registration by a verified user, with an algorithm of ours */
  async verifyRegistration(response: RegistrationResponseJSON, challenge: string): Promise<NewPasskey> {
    const [library, helpers] = await this.load();
    const attestation = helpers.decodeAttestationObject(
      Uint8Array.from(Buffer.from(response.response.attestationObject, 'base64url')),
    );
    // We ask for no attestation. To verify its certificates, the library would fetch revocation lists from addresses in
    // them, which the client chooses.
    const isSelfAttested =
      attestation.get('fmt') === 'packed' && attestation.get('attStmt').get('x5c') === undefined;
    if (attestation.get('fmt') !== 'none' && !isSelfAttested)
      throw new Error('it has an attestation that was not requested');
    const { verified, registrationInfo } = await library.verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: [...this.party.origins],
      expectedRPID: this.party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!verified) throw new Error('the attestation is wrong');
    const { id, publicKey, counter } = registrationInfo.credential;
    const transports = (response.response.transports ?? []).join(' ');
    return {
      credential_id: id,
      public_key: Buffer.from(publicKey).toString('base64url'),
      counter,
      transports,
    };
  }

  /**
   * @returns the counter of the authenticator; the caller compares it with that of the row, in the transaction
   * @throws Error for anything but a signature by this passkey for a verified user
   */
  async verifyAssertion(
    response: AuthenticationResponseJSON,
    passkey: Passkey,
    challenge: string,
  ): Promise<number> {
    const [library] = await this.load();
    const { verified, authenticationInfo } = await library.verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: [...this.party.origins],
      expectedRPID: this.party.id,
      requireUserVerification: true,
      credential: {
        id: passkey.credential_id,
        publicKey: Uint8Array.from(Buffer.from(passkey.public_key, 'base64url')),
        counter: 0,
      },
    });
    if (!verified) throw new Error('the signature is wrong');
    return authenticationInfo.newCounter;
  }

  private async load(): Promise<[Library, Helpers]> {
    this.loaded ??= Promise.all([import('@simplewebauthn/server'), import('@simplewebauthn/server/helpers')]);
    return this.loaded;
  }
}

function descriptorOf({ credential_id, transports }: Passkey) {
  return {
    id: credential_id,
    transports: transports.split(' ').filter(Boolean) as AuthenticatorTransport[],
  };
}
