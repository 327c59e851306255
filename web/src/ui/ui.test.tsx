import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { extent, nearest, plot } from './chart';
import { nextSort } from './DataTable';
import { formatBytes, formatDuration, formatExact, formatPercent, formatRelative } from './format';
import { TimeAgo } from './TimeAgo';
import { toneAt } from './tone';

describe('formats', () => {
  it.each([
    [0, '0.0%'],
    [7.25, '7.3%'],
    [100, '100.0%'],
    [null, '–'],
  ])('percent %s reads %s', (value, text) => {
    expect(formatPercent(value)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [107_374_182_400, '100 GiB'],
    [1_649_267_441_664, '1.5 TiB'],
  ])('%d bytes read %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [59, '59 s'],
    [3_599, '59 min'],
    [3_600, '1 h'],
    [93_784, '1 d 2 h'],
  ])('a span of %d s reads %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it.each([
    [4, 'just now'],
    [5, '5 s ago'],
    [60, '1 min ago'],
    [7_199, '1 h ago'],
    [86_400, '1 d ago'],
    [-3, 'just now'],
    [-172_800, 'in 2 d'],
  ])('%d s ago reads %s', (seconds, text) => {
    expect(formatRelative(1_000_000_000_000 - seconds * 1_000, 1_000_000_000_000)).toBe(text);
  });
});

describe('TimeAgo', () => {
  it('has_the_exact_time_in_the_viewers_zone_on_hover', () => {
    const at = new Date(Date.now() - 200_000).toISOString();
    render(<TimeAgo at={at} />);
    const time = screen.getByText('3 min ago');
    expect(time).toHaveAttribute('title', formatExact(Date.parse(at)));
    expect(time).toHaveAttribute('datetime', at);
  });

  it('a_past_event_is_never_in_the_future', () => {
    render(<TimeAgo at={new Date(Date.now() + 60_000).toISOString()} />);
    expect(screen.getByText('just now')).toBeVisible();
  });

  it('missing_and_unreadable_times_have_a_word', () => {
    render(
      <>
        <TimeAgo at={null} />
        <TimeAgo at="nonsense" missing="–" />
      </>,
    );
    expect(screen.getByText('never')).toBeVisible();
    expect(screen.getByText('–')).toBeVisible();
  });
});

describe('tones', () => {
  it('change_at_the_limit_or_above_it', () => {
    const at = { warn: 60, bad: 80 };
    expect([59.9, 60, 79.9, 80].map((value) => toneAt(value, at))).toEqual([
      'ok',
      'warn',
      'warn',
      'bad',
    ]);
    const above = { warn: 70, bad: 90, above: true };
    expect([70, 70.1, 90, 90.1].map((value) => toneAt(value, above))).toEqual([
      'ok',
      'warn',
      'warn',
      'bad',
    ]);
  });
});

describe('sorting', () => {
  it('Spec: hosts 15: toggles_on_one_column_and_starts_ascending_on_another', () => {
    const first = nextSort({ id: 'hostname', descending: false }, 'cpu');
    expect(first).toEqual({ id: 'cpu', descending: false });
    const second = nextSort(first, 'cpu');
    expect(second).toEqual({ id: 'cpu', descending: true });
    expect(nextSort(second, 'cpu').descending).toBe(false);
    expect(nextSort(second, 'disk')).toEqual({ id: 'disk', descending: false });
  });
});

describe('charts', () => {
  const frame = { from: 0, to: 1_000, top: 100, gapMs: 200 };

  it('a_line_breaks_where_measurements_are_missing', () => {
    const { line, area } = plot(
      [
        { at: 0, value: 0 },
        { at: 100, value: 50 },
        { at: 500, value: 100 },
        { at: 600, value: null },
        { at: 650, value: 25 },
      ],
      frame,
    );
    expect(line).toBe('M0.00 100.00L10.00 50.00M50.00 0.00L65.00 75.00');
    expect(area.match(/Z/g)).toHaveLength(2);
  });

  it('points_outside_the_window_are_left_out_and_high_ones_are_cut', () => {
    expect(plot([{ at: -1, value: 5 }], frame).line).toBe('');
    expect(plot([{ at: 500, value: 250 }], frame).line).toBe('M50.00 0.00h0');
  });

  it('the_nearest_measurement_skips_missing_ones', () => {
    const points = [
      { at: 10, value: 1 },
      { at: 20, value: null },
      { at: 40, value: 4 },
    ];
    expect(nearest(points, 21)).toEqual({ at: 10, value: 1 });
    expect(nearest([], 21)).toBeUndefined();
    expect(extent(points)).toEqual({ least: 1, mean: 2.5, most: 4 });
    expect(extent([])).toBeUndefined();
  });
});
