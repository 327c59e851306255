import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { start, stop } from '../support/programs';
import { makeCertificate, output, PEER_HOST, place } from './certificate';

const BASE = 'dc=example,dc=com';
/** How long slapd may take to listen. */
const START_LIMIT_MS = 20_000;

/** Somebody the directory knows; `groups` are common names. */
export interface Entry {
  uid: string;
  name: string;
  password: string;
  mail?: string;
  groups: string[];
}

/** An OpenLDAP server with TLS. */
export class Directory {
  static readonly base = BASE;
  static readonly people = `ou=people,${BASE}`;
  static readonly serviceDn = `cn=service,${BASE}`;
  static readonly servicePassword = "service account's own";
  private child: ChildProcess | undefined;

  private constructor(
    private readonly configuration: string,
    readonly port: number,
    /** What vouches for the server. */
    readonly authorityPem: string,
  ) {}

  static group(name: string): string {
    return `cn=${name},ou=groups,${BASE}`;
  }

  /** Makes a directory with these people and starts its server. */
  static async start(people: Entry[]): Promise<Directory> {
    const home = place('slapd');
    const { certificatePem, keyPem } = await makeCertificate();
    mkdirSync(join(home, 'db'));
    writeFileSync(join(home, 'server.pem'), certificatePem);
    writeFileSync(join(home, 'server.key'), keyPem, { mode: 0o600 });
    const file = join(home, 'slapd.conf');
    writeFileSync(file, configuration(home));
    await output('/usr/sbin/slapadd', ['-f', file], content(people));
    const directory = new Directory(file, await freePort(), certificatePem);
    await directory.resume();
    return directory;
  }

  /** Listens again after {@link stop}. */
  async resume(): Promise<void> {
    const words = ['-f', this.configuration, '-h', `ldaps://${PEER_HOST}:${this.port}/`, '-d', '0'];
    this.child = start('slapd', '/usr/sbin/slapd', words);
    await untilListening(this.port);
  }

  async stop(): Promise<void> {
    if (this.child) {
      await stop(this.child);
      this.child = undefined;
    }
  }

  /** Moves somebody from one group to another; neither may become empty. */
  async move(uid: string, from: string, to: string): Promise<void> {
    const change = (group: string, what: string) => `dn: ${Directory.group(group)}
changetype: modify
${what}: member
member: uid=${uid},${Directory.people}
`;
    await this.stop();
    const changes = `${change(to, 'add')}\n${change(from, 'delete')}`;
    await output('/usr/sbin/slapmodify', ['-f', this.configuration], changes);
    await this.resume();
  }
}

function configuration(home: string): string {
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile ${home}/server.pem
TLSCertificateKeyFile ${home}/server.key
database mdb
maxsize 16777216
suffix "${BASE}"
directory ${home}/db
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${Directory.serviceDn}" read by anonymous auth by * none
`;
}

function content(people: Entry[]): string {
  const members = new Map<string, string[]>();
  const entries = people.map(({ uid, name, password, mail, groups }) => {
    const dn = `uid=${uid},${Directory.people}`;
    for (const group of groups) {
      members.set(group, [...(members.get(group) ?? []), dn]);
    }
    const lines = [`dn: ${dn}`, 'objectClass: inetOrgPerson', `uid: ${uid}`];
    lines.push(`cn: ${name}`, `sn: ${name}`, `userPassword: ${password}`);
    return [...lines, ...(mail ? [`mail: ${mail}`] : [])].join('\n');
  });
  const groups = [...members].map(([name, dns]) =>
    [
      `dn: ${Directory.group(name)}`,
      'objectClass: groupOfNames',
      `cn: ${name}`,
      ...dns.map((dn) => `member: ${dn}`),
    ].join('\n'),
  );
  const frame = [
    `dn: ${BASE}\nobjectClass: domain\ndc: example`,
    `dn: ${Directory.people}\nobjectClass: organizationalUnit\nou: people`,
    `dn: ou=groups,${BASE}\nobjectClass: organizationalUnit\nou: groups`,
    `dn: ${Directory.serviceDn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject
cn: service\nuserPassword: ${Directory.servicePassword}`,
  ];
  return `${[...frame, ...entries, ...groups].join('\n\n')}\n`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, PEER_HOST, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') {
    throw new Error('no port is free');
  }
  return address.port;
}

async function untilListening(port: number): Promise<void> {
  const end = Date.now() + START_LIMIT_MS;
  while (!(await listens(port))) {
    if (Date.now() > end) {
      throw new Error('slapd does not listen');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, PEER_HOST);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
