import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch, setting } from './setting';

/** A program of ours that was built for this run: ct-ops, ct-ops-agent, ct-ops-licence. */
export function ours(name: string): string {
  return join(setting('JOURNEY_PROGRAMS'), name);
}

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  more: { env?: Record<string, string>; input?: string } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...more.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    // A program that reads nothing may be gone before its input is closed.
    child.stdin.on('error', (error) => more.input !== undefined && reject(error));
    child.stdin.end(more.input ?? '');
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/**
 * Starts a program that goes on after the test, in a process group of its own, its output in `<name>.log` of the run's
 * directory. Unless `stop` is called before, the end of the run stops it.
 */
export function start(
  name: string,
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcess {
  const log = openSync(scratch(`${name}.log`), 'a');
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  if (child.pid === undefined) {
    throw new Error(`${program} could not be started`);
  }
  mkdirSync(scratch('running'), { recursive: true });
  writeFileSync(scratch('running', String(child.pid)), program);
  return child;
}

/** Stops a program and what it started, and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) {
    return;
  }
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.signalCode === null) {
    signal(child.pid);
    await gone;
  }
  rmSync(scratch('running', String(child.pid)), { force: true });
}

/** Stops whatever was started and not stopped; for the end of the run. */
export function stopAll(): void {
  mkdirSync(scratch('running'), { recursive: true });
  for (const name of readdirSync(scratch('running'))) {
    const file = scratch('running', name);
    // A number is used again by others; the name of the program tells whether it still is ours.
    const [program] = commandLine(Number(name));
    if (program === readFileSync(file, 'utf8')) {
      signal(Number(name));
    }
    rmSync(file);
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function signal(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}
