import { describe, expect, it } from 'vitest';
import type { SettingsKey } from '@/api/settings';
import { aboutText, choiceLabel, matches, rangeText, shownValue } from './values';

function aKey(more: Partial<SettingsKey> = {}): SettingsKey {
  return {
    name: 'smtp_encryption',
    title: 'Encryption',
    about: 'starttls and tls never fall back. none sends everything readable.',
    type: 'choice',
    optional: false,
    least: null,
    most: null,
    choices: ['none', 'starttls', 'tls'],
    most_items: null,
    default: 'starttls',
    scope: 'organisation',
    restart: false,
    env: null,
    env_only: false,
    ...more,
  };
}

describe('choices', () => {
  it.each([
    ['invite_only', 'By invitation'],
    ['starttls', 'STARTTLS'],
    ['mon', 'Monday'],
    ['closed', 'Closed'],
    ['some_new_word', 'Some new word'],
  ])('%s reads %s', (word, label) => {
    expect(choiceLabel(word)).toBe(label);
  });

  it('the_description_calls_them_as_the_list_does', () => {
    expect(aboutText(aKey())).toBe(
      'STARTTLS and TLS never fall back. None sends everything readable.',
    );
  });

  it('words_that_only_contain_a_choice_stay', () => {
    const key = aKey({ about: 'nonesuch and tlsx; a tls link', choices: ['none', 'tls'] });
    expect(aboutText(key)).toBe('nonesuch and tlsx; a TLS link');
  });

  it('keys_without_choices_are_described_as_they_are', () => {
    expect(aboutText(aKey({ choices: null, about: 'none of this changes' }))).toBe(
      'none of this changes',
    );
  });
});

describe('values', () => {
  it.each([
    [null, 'empty'],
    ['', 'empty'],
    [[], 'empty'],
    [['a', 'b'], 'a, b'],
    [true, 'on'],
    [false, 'off'],
    [0, '0'],
    ['x', 'x'],
  ])('%j is shown as %s', (value, text) => {
    expect(shownValue(value)).toBe(text);
  });

  it('a_range_is_told_for_numbers_with_both_ends', () => {
    expect(rangeText(aKey({ type: 'integer', least: 1, most: 30 }))).toBe('1 to 30');
    expect(rangeText(aKey({ type: 'integer', least: 1, most: null }))).toBeUndefined();
    expect(rangeText(aKey({ type: 'text', least: 1, most: 30 }))).toBeUndefined();
  });
});

describe('search', () => {
  it('finds_a_key_by_parts_of_its_name_label_or_description_in_any_order', () => {
    expect(matches(aKey(), 'SMTP')).toBe(true);
    expect(matches(aKey(), 'readable encrypt')).toBe(true);
    expect(matches(aKey(), '')).toBe(true);
  });

  it('every_word_has_to_be_found', () => {
    expect(matches(aKey(), 'encryption banana')).toBe(false);
  });
});
