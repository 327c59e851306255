import type { FieldProblem, ProblemBody } from './schema';

/** Codes which this side makes itself, beside those of the server. */
export const NETWORK = 'network';
export const UNREADABLE = 'unreadable_answer';

/** A refused or failed request. Screens decide on `code`, never on the text. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: FieldProblem[];
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(body: ProblemBody, retryAfterSeconds?: number) {
    super(problemText(body, retryAfterSeconds));
    this.name = 'ApiProblem';
    this.status = body.status;
    this.code = body.code;
    this.fields = body.fields ?? [];
    this.requestId = body.request_id;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** First message of each field, keyed by the path of the field, for a form to show. */
  fieldMessages(): Record<string, string> {
    const messages: Record<string, string> = {};
    for (const field of this.fields) {
      messages[field.path] ??= sentence(field.message);
    }
    return messages;
  }
}

export function isProblem(error: unknown, code?: string): error is ApiProblem {
  return error instanceof ApiProblem && (code === undefined || error.code === code);
}

/** Waiting time in words: "40 seconds", "3 minutes". */
export function waitText(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 90) {
    return whole === 1 ? '1 second' : `${whole} seconds`;
  }
  return `${Math.ceil(whole / 60)} minutes`;
}

function problemText(body: ProblemBody, retryAfterSeconds?: number): string {
  switch (body.code) {
    case NETWORK:
      return 'The server cannot be reached.';
    case UNREADABLE:
      return 'The server gave an answer that cannot be read.';
    case 'unauthenticated':
      return 'You are not signed in.';
    case 'rate_limited':
    case 'locked':
      return retryAfterSeconds === undefined
        ? 'Too many attempts. Wait a moment, then try again.'
        : `Too many attempts. Try again in ${waitText(retryAfterSeconds)}.`;
    case 'internal':
      return 'Something went wrong on the server.';
    default:
      return body.detail ? sentence(body.detail) : `The request failed (${body.code}).`;
  }
}

/** Problem texts start in lower case and have no full stop; people read sentences. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
