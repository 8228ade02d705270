/** The server's answer that the browser needs to ask for a passkey. */
export interface PasskeyOptions {
  challenge: string;
  public_key: object;
}

/** A browser, as far as passkeys are concerned: this client is compiled without its types. */
interface Browser {
  PublicKeyCredential: Record<'parseCreationOptionsFromJSON' | 'parseRequestOptionsFromJSON', Parse>;
  navigator: { credentials: Record<'create' | 'get', Ask> };
}
type Parse = (options: object) => object;
type Ask = (options: { publicKey: object }) => Promise<{ toJSON(): object }>;

/** @throws DOMException if the person declines */
export async function createPasskey({ public_key: options }: PasskeyOptions): Promise<object> {
  const { PublicKeyCredential, navigator } = globalThis as unknown as Browser;
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}

/** @throws DOMException if the person declines */
export async function usePasskey({ public_key: options }: PasskeyOptions): Promise<object> {
  const { PublicKeyCredential, navigator } = globalThis as unknown as Browser;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}
