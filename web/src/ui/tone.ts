/** Meaning of a colour: `quiet` is neither good nor bad. */
export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'quiet';

export interface Thresholds {
  warn: number;
  bad: number;
  /** The tone changes above the value and not already at it. */
  above?: boolean;
}

export function toneAt(value: number, thresholds: Thresholds): Tone {
  const reaches = (limit: number) => (thresholds.above ? value > limit : value >= limit);
  if (reaches(thresholds.bad)) {
    return 'bad';
  }
  return reaches(thresholds.warn) ? 'warn' : 'ok';
}
