import { ApiProblem, NETWORK, UNREADABLE } from './problem';
import type { ProblemBody } from './schema';

export const API_BASE = '/api/v1';

export type Query = Record<string, string | number | boolean | null | undefined>;

interface RequestOptions {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  /** Version that was seen; the server refuses to overwrite a newer one. */
  version?: number;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Path below the API base with its query; empty, null and undefined values are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') {
      parameters.set(name, String(value));
    }
  }
  const text = parameters.toString();
  return `${API_BASE}${path}${text ? `?${text}` : ''}`;
}

/** One path segment from outside, such as an id out of the address bar. */
export function segment(value: string): string {
  return encodeURIComponent(value);
}

async function request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') {
    // The server refuses writes without it: other sites cannot send this header.
    headers['X-CTOps-Request'] = '1';
  }
  if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  if (options.version !== undefined) {
    headers['If-Match'] = `"${options.version}"`;
  }
  let response: Response;
  try {
    response = await fetch(apiUrl(path, options.query), {
      method,
      headers,
      credentials: 'same-origin',
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) {
      throw error;
    }
    throw new ApiProblem({ status: 0, code: NETWORK });
  }
  if (!response.ok) {
    throw await problemOf(response);
  }
  if (response.status === 204) {
    return undefined as T;
  }
  try {
    const text = await response.text();
    // What was only accepted may have nothing to tell yet.
    return (response.status === 202 && text === '' ? undefined : JSON.parse(text)) as T;
  } catch {
    throw new ApiProblem({
      status: response.status,
      code: UNREADABLE,
      request_id: response.headers.get('X-Request-Id') ?? undefined,
    });
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  const fallback: ProblemBody = {
    status: response.status,
    code: `http_${response.status}`,
    request_id: response.headers.get('X-Request-Id') ?? undefined,
  };
  let body = fallback;
  try {
    const read = (await response.json()) as Partial<ProblemBody> | null;
    if (read && typeof read.code === 'string') {
      body = { ...fallback, ...read, status: response.status };
    }
  } catch {
    // A proxy in between can answer with something else than JSON.
  }
  return new ApiProblem(body, Number.isNaN(retryAfter) ? undefined : retryAfter);
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) =>
    request<T>('GET', path, { query, signal }),
  post: <T>(path: string, body?: unknown) => request<T>('POST', path, { body }),
  put: <T>(path: string, body: unknown, version?: number) =>
    request<T>('PUT', path, { body, version }),
  patch: <T>(path: string, body: unknown, version?: number) =>
    request<T>('PATCH', path, { body, version }),
  delete: (path: string, version?: number) => request<void>('DELETE', path, { version }),
  /** Removes what the body names, out of a set. */
  deleteSome: <T>(path: string, body: unknown) => request<T>('DELETE', path, { body }),
};
