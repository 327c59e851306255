import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/programs';
import { scratch } from '../support/setting';

/** Peers listen here: for the browser another site than the server's, which is `localhost`. */
export const PEER_HOST = '127.0.0.1';

export interface Certificate {
  certificatePem: string;
  keyPem: string;
}

const CONFIGURATION = `[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
CN = ${PEER_HOST}
[extensions]
subjectAltName = IP:${PEER_HOST}
basicConstraints = critical, CA:FALSE
`;

/** Runs a program of this machine and returns what it wrote; throws what it complained about. */
export async function output(program: string, args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { input });
  if (code !== 0) {
    throw new Error(`${program} ${args[0]}: ${stderr}`);
  }
  return stdout;
}

/** An empty directory that goes with the run. */
export function place(name: string): string {
  return mkdtempSync(scratch(`${name}-`));
}

/** A certificate of its own for a peer; who is given it trusts that peer and nobody else. */
export async function makeCertificate(): Promise<Certificate> {
  const directory = place('certificate');
  const file = (name: string) => join(directory, name);
  writeFileSync(file('request.conf'), CONFIGURATION);
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '90', '-sha256'];
  const files = ['-keyout', file('key.pem'), '-out', file('certificate.pem')];
  await output('openssl', [...request, '-config', file('request.conf'), ...files]);
  return {
    certificatePem: readFileSync(file('certificate.pem'), 'utf8'),
    keyPem: readFileSync(file('key.pem'), 'utf8'),
  };
}
