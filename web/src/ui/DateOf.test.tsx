import { render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DateOf } from './DateOf';
import { formatDate } from './format';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-22T12:00:00Z') });
});

afterEach(() => {
  vi.useRealTimers();
});

it('a_day_is_told_with_how_far_it_is', () => {
  render(<DateOf at="2027-11-22T12:00:00Z" />);
  const shown = screen.getByText('22 Nov 2027, in 365 d');
  expect(shown).toHaveAttribute('datetime', '2027-11-22T12:00:00Z');
  expect(shown.title).toContain('2027');
});

it('a_day_that_is_over_says_so', () => {
  render(<DateOf at="2026-11-20T12:00:00Z" />);
  expect(screen.getByText('20 Nov 2026, 2 d ago')).toBeVisible();
});

it('what_is_no_time_is_a_dash', () => {
  render(<DateOf at="" />);
  expect(screen.getByText('–')).toBeVisible();
});

it('the_day_reads_the_same_whatever_the_language_of_the_browser', () => {
  expect(formatDate(Date.parse('2026-03-04T12:00:00Z'))).toBe('4 Mar 2026');
});
