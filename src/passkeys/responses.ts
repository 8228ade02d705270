import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { validationFailed } from '../auth/index.js';

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** WebAuthn §4: a credential id has at most 1023 bytes. */
const MAX_ID = 1364;
/** The specification has six; the limit leaves room for new ones. */
const MAX_TRANSPORTS = 8;

/** Reads the answer of a registration, without members that are not used. @throws ApiError `validation_failed` */
export function registrationOf(field: string, given: object): RegistrationResponseJSON {
  const { id, response } = outline(field, given);
  const { transports } = response;
  const known = Array.isArray(transports) ? (transports as unknown[]) : [];
  const words = known.filter((each) => typeof each === 'string' && /^[a-z-]{1,20}$/.test(each));
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: member(field, response, 'clientDataJSON'),
      attestationObject: member(field, response, 'attestationObject'),
      transports: words.slice(0, MAX_TRANSPORTS) as NonNullable<
        RegistrationResponseJSON['response']['transports']
      >,
    },
  };
}

/** Reads the answer of a login or step-up. @throws ApiError `validation_failed` */
export function assertionOf(field: string, given: object): AuthenticationResponseJSON {
  const { id, response } = outline(field, given);
  const { userHandle } = response;
  return {
    id,
    rawId: id,
    type: 'public-key',
    clientExtensionResults: {},
    response: {
      clientDataJSON: member(field, response, 'clientDataJSON'),
      authenticatorData: member(field, response, 'authenticatorData'),
      signature: member(field, response, 'signature'),
      ...(typeof userHandle === 'string' ? { userHandle } : {}),
    },
  };
}

type Members = Record<string, unknown>;

function outline(field: string, given: object): { id: string; response: Members } {
  const { response } = given as Members;
  const id = member(field, given as Members, 'id');
  if (id.length > MAX_ID || typeof response !== 'object' || response === null)
    throw notACredential(field, 'response');
  return { id, response: response as Members };
}

function member(field: string, from: Members, name: string): string {
  const value = from[name];
  if (typeof value === 'string' && BASE64URL.test(value)) return value;
  throw notACredential(field, name);
}

function notACredential(field: string, name: string) {
  return validationFailed([
    {
      field,
      messages: [`${field} must be the toJSON() of a credential: ${name} is missing or not base64url`],
    },
  ]);
}
