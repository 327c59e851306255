import { describe, expect, it, vi } from 'vitest';
import { mockApi, Refusal } from '@/testing/mockApi';
import { api, apiUrl } from './client';
import { ApiProblem, waitText } from './problem';

async function problemOf(work: Promise<unknown>): Promise<ApiProblem> {
  const failure: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof ApiProblem) {
    return failure;
  }
  throw new Error('the request did not fail with a problem');
}

describe('requests', () => {
  it('writes_carry_the_anti-forgery_header_and_reads_do_not', async () => {
    const { calls } = mockApi({ 'POST /auth/logout': undefined, 'GET /hosts/facets': undefined });
    await api.post('/auth/logout');
    await api.get('/hosts/facets');
    expect(calls.map((call) => call.headers.get('X-CTOps-Request'))).toEqual(['1', null]);
  });

  it('empty_parameters_are_left_out_and_others_escaped', () => {
    expect(apiUrl('/hosts', { search: 'a b&c', os: '', status: undefined, page: 2 })).toBe(
      '/api/v1/hosts?search=a+b%26c&page=2',
    );
  });
});

describe('problems', () => {
  it('Spec: api-conventions 9: a_problem_keeps_code_fields_and_request_id', async () => {
    mockApi({
      'POST /setup': new Refusal(422, 'validation_failed', {
        detail: 'two fields are not acceptable',
        fields: [
          { path: 'name', code: 'too_short', message: 'has 1 character' },
          { path: 'name', code: 'other', message: 'second' },
        ],
      }),
    });
    const problem = await problemOf(api.post('/setup', {}));
    expect(problem).toMatchObject({
      status: 422,
      code: 'validation_failed',
      requestId: 'req-00000001',
      message: 'Two fields are not acceptable.',
    });
    expect(problem.fieldMessages()).toEqual({ name: 'Has 1 character.' });
  });

  it('an_answer_that_is_no_problem_document_is_still_one', async () => {
    vi.stubGlobal('fetch', async () => new Response('<h1>Bad gateway</h1>', { status: 502 }));
    expect(await problemOf(api.get('/hosts'))).toMatchObject({ status: 502, code: 'http_502' });
  });

  it('an_unreachable_server_is_a_problem', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')));
    expect(await problemOf(api.get('/hosts'))).toMatchObject({
      code: 'network',
      message: 'The server cannot be reached.',
    });
  });

  it('an_answer_that_is_not_json_is_a_problem', async () => {
    vi.stubGlobal('fetch', async () => new Response('<html>', { status: 200 }));
    expect(await problemOf(api.get('/hosts'))).toMatchObject({ code: 'unreadable_answer' });
  });

  it('an_empty_answer_is_read_only_when_the_request_was_accepted_for_later', async () => {
    vi.stubGlobal('fetch', async () => new Response(null, { status: 202 }));
    expect(await api.post('/auth/forgot-password')).toBeUndefined();
    vi.stubGlobal('fetch', async () => new Response('', { status: 200 }));
    expect(await problemOf(api.get('/hosts'))).toMatchObject({ code: 'unreadable_answer' });
  });

  it.each([
    [0.2, '1 second'],
    [42, '42 seconds'],
    [90, '2 minutes'],
    [900, '15 minutes'],
  ])('a wait of %d s reads %s', (seconds, text) => {
    expect(waitText(seconds)).toBe(text);
  });
});
