import { describe, expect, it } from 'vitest';
import { ApiProblem, isProblem, sentence, waitText } from './problem';

function problem(code: string, more: Partial<ConstructorParameters<typeof ApiProblem>[0]> = {}) {
  return { status: 422, code, detail: '', fields: [], request_id: 'req-1', ...more };
}

describe('words', () => {
  it.each([
    [0, '1 second'],
    [1, '1 second'],
    [1.2, '2 seconds'],
    [89, '89 seconds'],
    [90, '2 minutes'],
    [121, '3 minutes'],
  ])('%d seconds to wait read %s', (seconds, text) => {
    expect(waitText(seconds)).toBe(text);
  });

  it.each([
    ['the name is taken', 'The name is taken.'],
    ['  is it?', 'Is it?'],
    ['Done.', 'Done.'],
  ])('"%s" becomes "%s"', (text, shown) => {
    expect(sentence(text)).toBe(shown);
  });
});

describe('a refusal', () => {
  it('is_told_in_the_words_of_the_server', () => {
    expect(new ApiProblem(problem('conflict', { detail: 'the name is taken' })).message).toBe(
      'The name is taken.',
    );
    expect(new ApiProblem(problem('odd')).message).toBe('The request failed (odd).');
  });

  it('names_the_wait_of_a_limit', () => {
    expect(new ApiProblem(problem('rate_limited'), 30).message).toContain('in 30 seconds');
    expect(new ApiProblem(problem('locked')).message).toContain('Wait a moment');
  });

  it('keeps_the_first_message_of_each_field', () => {
    const fields = [
      { path: 'name', code: 'too_short', message: 'is too short' },
      { path: 'name', code: 'invalid', message: 'has a slash' },
      { path: 'size', code: 'invalid', message: 'is no number' },
    ];
    expect(new ApiProblem(problem('validation_failed', { fields })).fieldMessages()).toEqual({
      name: 'Is too short.',
      size: 'Is no number.',
    });
  });

  it('is_known_by_its_code', () => {
    const refused = new ApiProblem(problem('conflict'));
    expect(isProblem(refused)).toBe(true);
    expect(isProblem(refused, 'conflict')).toBe(true);
    expect(isProblem(refused, 'other')).toBe(false);
    expect(isProblem(new Error('conflict'))).toBe(false);
  });
});
