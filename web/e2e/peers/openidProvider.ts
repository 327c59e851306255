import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { makeCertificate, PEER_HOST } from './certificate';

/** Somebody the provider signs in. */
export interface OpenIdPerson {
  sub: string;
  username: string;
  password: string;
  /** How they signed in, as the token says (RFC 8176). */
  amr?: string[];
  /** The token says that they signed in so long ago, whatever was asked for. */
  seconds_ago?: number;
  claims: Record<string, unknown>;
}

const FOLDER = fileURLToPath(
  new URL('../../../crates/ctops-federation/tests/idp/', import.meta.url),
);

/** The certified provider of the crate's own tests, as a process with a page to sign in at. */
export class OpenIdProvider {
  static readonly clientId = 'ct-ops';
  /** With characters that must be encoded on their way. */
  static readonly secret = 's3cret: with + and / and %';

  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
    private readonly lines: AsyncIterator<string>,
    readonly issuer: string,
    readonly authorityPem: string,
  ) {}

  /** Starts it; it serves nothing before {@link serve}. */
  static async start(): Promise<OpenIdProvider> {
    const { certificatePem, keyPem } = await makeCertificate();
    const child = spawn('node', ['provider.mjs'], {
      cwd: FOLDER,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const told = { certificate: certificatePem, key: keyPem, host: PEER_HOST };
    const { port } = await tell(child, lines, told);
    return new OpenIdProvider(child, lines, `https://${PEER_HOST}:${port}`, certificatePem);
  }

  /** Lets the server in, which takes people back at `redirect` and, after sign-out, at `afterwards`. */
  async serve(redirect: string, afterwards: string, people: OpenIdPerson[]): Promise<void> {
    const client = {
      id: OpenIdProvider.clientId,
      secret: OpenIdProvider.secret,
      redirects: [redirect],
      logouts: [afterwards],
      alg: 'RS256',
      claims_at_userinfo: true,
    };
    await tell(this.child, this.lines, { client, people });
  }

  /** Replaces whom it knows. */
  async know(people: OpenIdPerson[]): Promise<void> {
    await tell(this.child, this.lines, { people });
  }

  stop(): void {
    this.child.kill();
  }
}

async function tell(
  child: ChildProcessByStdio<Writable, Readable, null>,
  lines: AsyncIterator<string>,
  what: unknown,
): Promise<{ port?: number }> {
  child.stdin.write(`${JSON.stringify(what)}\n`);
  const { done, value } = await lines.next();
  if (done) {
    throw new Error('the OpenID provider ended; run `cargo xtask setup` first');
  }
  return JSON.parse(value);
}
