import type { PasskeyChallenge } from './schema';

/** Whether this browser can make and use passkeys. */
export function passkeysSupported(): boolean {
  return (
    typeof PublicKeyCredential !== 'undefined' &&
    'parseRequestOptionsFromJSON' in PublicKeyCredential
  );
}

/** Somebody closed the browser's dialog, or it gave up waiting. */
export class PasskeyCancelled extends Error {
  constructor() {
    super('The passkey was not used.');
    this.name = 'PasskeyCancelled';
  }
}

interface Options {
  publicKey: unknown;
}

/** What the server is sent: the challenge it gave and what the device signed. */
export interface PasskeyAnswer {
  ceremony: string;
  credential: unknown;
}

/** Has the device make a passkey. */
export async function makePasskey(challenge: PasskeyChallenge): Promise<PasskeyAnswer> {
  const { publicKey } = challenge.options as unknown as Options;
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(
    publicKey as PublicKeyCredentialCreationOptionsJSON,
  );
  return answer(challenge, () => navigator.credentials.create({ publicKey: options }));
}

/** Has the device sign with a passkey. */
export async function signWithPasskey(challenge: PasskeyChallenge): Promise<PasskeyAnswer> {
  const { publicKey } = challenge.options as unknown as Options;
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(
    publicKey as PublicKeyCredentialRequestOptionsJSON,
  );
  return answer(challenge, () => navigator.credentials.get({ publicKey: options }));
}

async function answer(
  challenge: PasskeyChallenge,
  ask: () => Promise<Credential | null>,
): Promise<PasskeyAnswer> {
  let credential: Credential | null;
  try {
    credential = await ask();
  } catch {
    // Browsers say the same for "cancelled", "timed out" and "no such key", on purpose.
    throw new PasskeyCancelled();
  }
  if (credential === null) {
    throw new PasskeyCancelled();
  }
  return {
    ceremony: challenge.ceremony,
    credential: (credential as PublicKeyCredential).toJSON(),
  };
}
