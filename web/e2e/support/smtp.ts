import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A letter as a person reads it. */
export interface Letter {
  to: string[];
  subject: string;
  text: string;
  /** The first address in it. */
  link?: string;
}

/** A mail server (RFC 5321) that keeps every letter as a file in `directory`. */
export function startSink(port: number, directory: string): Promise<Server> {
  mkdirSync(directory, { recursive: true });
  let count = 0;
  const keep = (letter: Letter) => {
    count += 1;
    const name = join(directory, `${String(count).padStart(4, '0')}.json`);
    // Renamed at the end, so that nobody reads half a letter.
    writeFileSync(`${name}.part`, JSON.stringify(letter));
    renameSync(`${name}.part`, name);
  };
  const server = createServer((socket) => converse(socket, keep));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function converse(socket: Socket, keep: (letter: Letter) => void): void {
  let pending = '';
  let to: string[] = [];
  let data: string[] | undefined;
  const say = (line: string) => socket.write(`${line}\r\n`);
  const answer = (line: string) => {
    if (data !== undefined) {
      if (line === '.') {
        keep(read(to, data));
        data = undefined;
        to = [];
        say('250 kept');
      } else {
        data.push(line.startsWith('.') ? line.slice(1) : line);
      }
      return;
    }
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'DATA') {
      data = [];
      say('354 go on');
    } else if (verb === 'QUIT') {
      say('221 bye');
      socket.end();
    } else {
      const [, recipient] = /^RCPT TO:<([^>]*)>/i.exec(line) ?? [];
      to = recipient === undefined ? to : [...to, recipient];
      say('250 ok');
    }
  };
  socket.setEncoding('utf8');
  // A client that goes away in the middle leaves nothing to do.
  socket.on('error', () => socket.destroy());
  socket.on('data', (text: string) => {
    const lines = (pending + text).split('\r\n');
    pending = lines.pop() ?? '';
    lines.forEach(answer);
  });
  say('220 sink');
}

function read(to: string[], lines: string[]): Letter {
  const end = lines.indexOf('');
  const headers = lines
    .slice(0, end)
    .join('\n')
    .replace(/\n[ \t]+/g, ' ');
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, 'im').exec(headers)?.[1] ?? '';
  const body = lines.slice(end + 1).join('\n');
  const text = decode(body, header('Content-Transfer-Encoding'));
  return { to, subject: words(header('Subject')), text, link: /https?:\/\/\S+/.exec(text)?.[0] };
}

function decode(body: string, encoding: string): string {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return Buffer.from(body, 'base64').toString('utf8');
    case 'quoted-printable':
      return unquote(body.replace(/=\n/g, ''));
    default:
      return body;
  }
}

function unquote(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Encoded words in headers (RFC 2047). */
function words(header: string): string {
  return header
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?(b|q)\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString('utf8')
        : unquote(word.replace(/_/g, ' ')),
    );
}
