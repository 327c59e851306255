import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { type Certificate, makeCertificate, output, PEER_HOST, place } from './certificate';

/** Somebody the provider signs in. */
export interface SamlPerson {
  /** Persistent NameID. */
  id: string;
  username: string;
  password: string;
  attributes: Record<string, string[]>;
}

const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';
const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const PASSWORD_CONTEXT = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport';
const MINUTE_MS = 60_000;

/** What a service provider asked for. */
interface Asked {
  id: string;
  issuer: string;
  acs: string;
  force: boolean;
}

interface Session {
  person: SamlPerson;
  since: number;
}

/**
 * A SAML 2.0 identity provider: a page that asks for name and password, a session in a cookie, and assertions that
 * xmlsec1 signs. It shares no code with the server.
 */
export class SamlProvider {
  /** Signs nobody in anew, even when it is asked to. */
  ignoresForce = false;
  /** Whoever signs in is said to have done so this long ago. */
  signedInAgoMs = 0;
  private readonly sessions = new Map<string, Session>();

  private constructor(
    private readonly server: Server,
    private readonly signer: Certificate,
    private readonly people: SamlPerson[],
  ) {
    server.on('request', (request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
      });
    });
  }

  static async start(people: SamlPerson[]): Promise<SamlProvider> {
    const tls = await makeCertificate();
    const server = createServer({ cert: tls.certificatePem, key: tls.keyPem });
    await new Promise<void>((resolve) => server.listen(0, PEER_HOST, resolve));
    return new SamlProvider(server, await makeCertificate(), people);
  }

  get address(): string {
    return `https://${PEER_HOST}:${(this.server.address() as AddressInfo).port}`;
  }

  get entityId(): string {
    return `${this.address}/metadata`;
  }

  /** What its administrator hands out. */
  get metadata(): string {
    const der = this.signer.certificatePem.replaceAll(/-----[^-]+-----|\s/g, '');
    return `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${this.entityId}">
<md:IDPSSODescriptor protocolSupportEnumeration="${PROTOCOL}"><md:KeyDescriptor use="signing">
<ds:KeyInfo xmlns:ds="${DSIG}"><ds:X509Data><ds:X509Certificate>${der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
</md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
Location="${this.address}/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.address);
    if (url.pathname !== '/sso') {
      response.writeHead(404).end();
      return;
    }
    const asked = read(url.searchParams.get('SAMLRequest') ?? '');
    const given = request.method === 'POST' ? await form(request) : undefined;
    const session = given ? this.enter(given, response) : this.known(request, asked);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (!session) {
      response.end(signInPage(given ? 'Wrong name or password.' : ''));
      return;
    }
    const relay = url.searchParams.get('RelayState') ?? '';
    response.end(handOver(asked.acs, await this.respond(asked, session), relay));
  }

  private enter(given: URLSearchParams, response: ServerResponse): Session | undefined {
    const person = this.people.find(
      ({ username, password }) =>
        username === given.get('username') && password === given.get('password'),
    );
    if (!person) {
      return undefined;
    }
    const [key, session] = [randomUUID(), { person, since: Date.now() - this.signedInAgoMs }];
    this.sessions.set(key, session);
    response.setHeader('set-cookie', `idp=${key}; Path=/; Secure; HttpOnly; SameSite=Lax`);
    return session;
  }

  private known(request: IncomingMessage, asked: Asked): Session | undefined {
    const key = /\bidp=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    return asked.force && !this.ignoresForce ? undefined : this.sessions.get(key);
  }

  /** A response with one assertion, signed. */
  private async respond(asked: Asked, { person, since }: Session): Promise<string> {
    const [now, id] = [Date.now(), `_${randomUUID()}`];
    const until = at(now + 5 * MINUTE_MS);
    const attributes = Object.entries(person.attributes).map(([name, values]) => {
      const inside = values.map((v) => `<saml:AttributeValue>${v}</saml:AttributeValue>`);
      return `<saml:Attribute Name="${name}">${inside.join('')}</saml:Attribute>`;
    });
    const assertion = `<saml:Assertion xmlns:saml="${ASSERTION}" ID="${id}" Version="2.0" IssueInstant="${at(now)}">\
<saml:Issuer>${this.entityId}</saml:Issuer>${signatureOver(id)}<saml:Subject>\
<saml:NameID Format="${PERSISTENT}">${person.id}</saml:NameID><saml:SubjectConfirmation Method="${BEARER}">\
<saml:SubjectConfirmationData InResponseTo="${asked.id}" Recipient="${asked.acs}" NotOnOrAfter="${until}"/>\
</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${at(now - MINUTE_MS)}" NotOnOrAfter="${until}">\
<saml:AudienceRestriction><saml:Audience>${asked.issuer}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
<saml:AuthnStatement AuthnInstant="${at(since)}" SessionIndex="${id}"><saml:AuthnContext>\
<saml:AuthnContextClassRef>${PASSWORD_CONTEXT}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>\
<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion>`;
    return `<samlp:Response xmlns:samlp="${PROTOCOL}" ID="_${randomUUID()}" Version="2.0" IssueInstant="${at(now)}" \
Destination="${asked.acs}" InResponseTo="${asked.id}"><saml:Issuer xmlns:saml="${ASSERTION}">${this.entityId}</saml:Issuer>\
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>\
${await sign(assertion, this.signer)}</samlp:Response>`;
  }
}

function at(moment: number): string {
  return new Date(moment).toISOString();
}

/** A request by HTTP redirect (SAML Bindings 2.0 section 3.4.4.1). */
function read(field: string): Asked {
  const xml = inflateRawSync(Buffer.from(field, 'base64')).toString('utf8');
  const found = (pattern: RegExp) => pattern.exec(xml)?.[1] ?? '';
  return {
    id: found(/\sID="([^"]+)"/),
    issuer: found(/Issuer[^>]*>([^<]+)</),
    acs: found(/AssertionConsumerServiceURL="([^"]+)"/),
    force: found(/ForceAuthn="([^"]+)"/) === 'true',
  };
}

/** The template that xmlsec1 fills. */
function signatureOver(id: string): string {
  return `<ds:Signature xmlns:ds="${DSIG}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${EXCLUSIVE}"/>\
<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#${id}">\
<ds:Transforms><ds:Transform Algorithm="${DSIG}enveloped-signature"/><ds:Transform Algorithm="${EXCLUSIVE}"/>\
</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>\
</ds:SignedInfo><ds:SignatureValue/></ds:Signature>`;
}

async function sign(xml: string, { keyPem }: Certificate): Promise<string> {
  const directory = place('saml');
  const [key, document] = [join(directory, 'key.pem'), join(directory, 'document.xml')];
  writeFileSync(key, keyPem);
  writeFileSync(document, xml);
  const named = ['--id-attr:ID', `${ASSERTION}:Assertion`];
  const signed = await output('xmlsec1', ['--sign', '--privkey-pem', key, ...named, document]);
  return signed.replace(/^<\?xml[^>]*\?>\s*/, '').trim();
}

async function form(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
  }
  return new URLSearchParams(text);
}

function page(body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Campus</title>${body}</html>`;
}

function signInPage(refusal: string): string {
  return page(`<h1>Sign in to the campus</h1><p role="alert">${refusal}</p><form method="post">
<p><label>Name <input name="username"></label></p>
<p><label>Password <input name="password" type="password"></label></p><button>Go on</button></form>`);
}

/** Has the browser post the answer (SAML Bindings 2.0 section 3.5.4). */
function handOver(acs: string, xml: string, relay: string): string {
  const field = (name: string, value: string) =>
    `<input type="hidden" name="${name}" value="${value.replaceAll('"', '&quot;')}">`;
  return page(`<form method="post" action="${acs}">
${field('SAMLResponse', Buffer.from(xml).toString('base64'))}${field('RelayState', relay)}
<noscript><button>Go on</button></noscript></form><script>document.forms[0].submit()</script>`);
}
