import { vi } from 'vitest';
import { API_BASE } from '@/api/client';
import type {
  Agent,
  AgentHistoryEntry,
  AuthMethods,
  CreatedToken,
  CursorPage,
  EnrolmentSettings,
  HostDetail,
  HostFacets,
  HostRow,
  HostSummary,
  ListOf,
  Me,
  Page,
  ProblemBody,
  Sample,
  SessionRow,
  Token,
} from '@/api/schema';

/** Every call the interface makes, with the shape of its answer. */
export interface Endpoints {
  'GET /auth/methods': AuthMethods;
  'POST /setup': Me;
  'POST /auth/login': Me;
  'POST /auth/logout': undefined;
  'GET /me': Me;
  'GET /me/sessions': ListOf<SessionRow>;
  'DELETE /me/sessions': undefined;
  'DELETE /me/sessions/{id}': undefined;
  'GET /enrolment-tokens': Page<Token>;
  'POST /enrolment-tokens': CreatedToken;
  'POST /enrolment-tokens/{id}/revoke': Token;
  'GET /settings/enrolment': EnrolmentSettings;
  'PATCH /settings/enrolment': EnrolmentSettings;
  'GET /agents': Page<Agent>;
  'GET /agents/{id}/history': CursorPage<AgentHistoryEntry>;
  'POST /agents/{id}/approve': Agent;
  'POST /agents/{id}/reject': Agent;
  'POST /agents/{id}/revoke': Agent;
  'GET /hosts': Page<HostRow>;
  'GET /hosts/summary': HostSummary;
  'GET /hosts/facets': HostFacets;
  'GET /hosts/{id}': HostDetail;
  'GET /hosts/{id}/samples': ListOf<Sample>;
}

interface Call {
  endpoint: keyof Endpoints;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

/** A refusal by the server. */
export class Refusal {
  readonly problem: ProblemBody;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, more: Partial<ProblemBody> = {}, retryAfter?: number) {
    this.problem = { status, code, request_id: 'req-00000001', ...more };
    this.headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  }
}

type Answer<T> = T | Refusal | ((call: Call) => T | Refusal | Promise<T | Refusal>);
export type Answers = { [Name in keyof Endpoints]?: Answer<Endpoints[Name]> };

export interface MockApi {
  calls: Call[];
  /** The calls of one endpoint, oldest first. */
  to: (endpoint: keyof Endpoints) => Call[];
  /** Changes answers in the middle of a test. */
  answer: (answers: Answers) => void;
}

/** `GET /hosts/h1` as the endpoint it belongs to; exact names win over `{id}`. */
function endpointOf(method: string, path: string, known: Answers): keyof Endpoints | undefined {
  const wanted = `${method} ${path}`;
  const names = Object.keys(known) as (keyof Endpoints)[];
  return (
    names.find((name) => name === wanted) ??
    names.find((name) => new RegExp(`^${name.replaceAll('{id}', '[^/]+')}$`).test(wanted))
  );
}

function responseOf(answer: unknown): Response {
  if (answer instanceof Refusal) {
    return Response.json(answer.problem, {
      status: answer.problem.status,
      headers: { 'Content-Type': 'application/problem+json', ...answer.headers },
    });
  }
  return answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer);
}

/** Stands in for the server; an endpoint without an answer is 404 `not_found`. */
export function mockApi(first: Answers): MockApi {
  let answers = first;
  const calls: Call[] = [];
  vi.stubGlobal('fetch', async (input: string, init: RequestInit = {}) => {
    const url = new URL(input, 'https://ops.example.net');
    const path = url.pathname.slice(API_BASE.length);
    const endpoint = endpointOf(init.method ?? 'GET', path, answers);
    if (!endpoint) {
      return responseOf(new Refusal(404, 'not_found', { detail: `${path} not found` }));
    }
    const call: Call = {
      endpoint,
      path,
      query: url.searchParams,
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
    };
    calls.push(call);
    const answer = answers[endpoint];
    return responseOf(typeof answer === 'function' ? await answer(call) : answer);
  });
  return {
    calls,
    to: (endpoint) => calls.filter((call) => call.endpoint === endpoint),
    answer: (more) => {
      answers = { ...answers, ...more };
    },
  };
}
