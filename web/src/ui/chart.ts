export interface Point {
  /** Milliseconds since 1970. */
  at: number;
  /** null where nothing was measured. */
  value: number | null;
}

export interface ChartFrame {
  /** Left edge, milliseconds since 1970. */
  from: number;
  to: number;
  /** Upper end of the value axis; the lower one is 0. */
  top: number;
  /** Points further apart than this are not joined. */
  gapMs: number;
}

export interface Plotted {
  line: string;
  area: string;
}

const SIDE = 100;

export function plotX(at: number, frame: ChartFrame): number {
  return ((at - frame.from) / (frame.to - frame.from)) * SIDE;
}

export function plotY(value: number, frame: ChartFrame): number {
  return SIDE - (Math.min(value, frame.top) / frame.top) * SIDE;
}

/** SVG path data in a square of 100 by 100; the line breaks where measurements are missing. */
export function plot(points: readonly Point[], frame: ChartFrame): Plotted {
  let line = '';
  let area = '';
  for (const run of runs(points, frame)) {
    const path = run
      .map(
        (point) => `${plotX(point.at, frame).toFixed(2)} ${plotY(point.value, frame).toFixed(2)}`,
      )
      .join('L');
    const first = run[0];
    const last = run[run.length - 1];
    if (first && last) {
      line += `M${path}`;
      // A single measurement is drawn as a dot by the round line end.
      line += run.length === 1 ? 'h0' : '';
      area += `M${plotX(first.at, frame).toFixed(2)} ${SIDE}L${path}L${plotX(last.at, frame).toFixed(2)} ${SIDE}Z`;
    }
  }
  return { line, area };
}

type Measured = { at: number; value: number };

function runs(points: readonly Point[], frame: ChartFrame): Measured[][] {
  const found: Measured[][] = [];
  let current: Measured[] = [];
  let previousAt = Number.NEGATIVE_INFINITY;
  for (const { at, value } of points) {
    if (value === null || at < frame.from || at > frame.to) {
      continue;
    }
    if (at - previousAt > frame.gapMs || current.length === 0) {
      current = [];
      found.push(current);
    }
    current.push({ at, value });
    previousAt = at;
  }
  return found;
}

/** The measurement closest to a moment. */
export function nearest(points: readonly Point[], at: number): Measured | undefined {
  let best: Measured | undefined;
  for (const point of points) {
    if (
      point.value !== null &&
      (best === undefined || Math.abs(point.at - at) < Math.abs(best.at - at))
    ) {
      best = { at: point.at, value: point.value };
    }
  }
  return best;
}

export interface Extent {
  least: number;
  mean: number;
  most: number;
}

export function extent(points: readonly Point[]): Extent | undefined {
  const values = points.flatMap((point) => (point.value === null ? [] : [point.value]));
  if (values.length === 0) {
    return undefined;
  }
  const sum = values.reduce((total, value) => total + value, 0);
  return { least: Math.min(...values), mean: sum / values.length, most: Math.max(...values) };
}
