import { join } from 'node:path';

/** A setting of this run; a missing one stops the run with its name. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set; run the journeys with \`cargo xtask browser\``);
  }
  return value;
}

/** A path in the directory of this run, which is deleted after a run without failures. */
export function scratch(...parts: string[]): string {
  return join(setting('JOURNEY_SCRATCH'), ...parts);
}
