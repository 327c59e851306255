import { createHmac } from 'node:crypto';
import { expect } from '@playwright/test';

const STEP_MS = 30_000;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Last step whose code was handed out, by secret: the server takes no step twice. */
const lastSteps = new Map<string, number>();

/** What an authenticator app would show: the code (RFC 6238) of a step that was not used yet. */
export async function nextCode(secret: string): Promise<string> {
  const plain = secret.replace(/\s/g, '').toUpperCase();
  const now = () => Math.floor(Date.now() / STEP_MS);
  const step = Math.max(now(), (lastSteps.get(plain) ?? 0) + 1);
  // The server takes a code of the next step, but of none after it.
  await expect.poll(now, { timeout: 2 * STEP_MS }).toBeGreaterThanOrEqual(step - 1);
  lastSteps.set(plain, step);
  return codeOf(plain, step);
}

function codeOf(secret: string, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', fromBase32(secret)).update(counter).digest();
  const offset = digest.readUInt8(digest.length - 1) & 0x0f;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0'));
  const bytes = bits.join('').match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}
