import { type PointerEvent, useState } from 'react';
import { type ChartFrame, extent, nearest, type Point, plot, plotX, plotY } from './chart';
import { formatClock, formatMinute, formatPercent } from './format';
import classes from './LineChart.module.css';
import { type Thresholds, type Tone, toneAt } from './tone';

interface LineChartProps {
  /** Names the measurement: "CPU". */
  label: string;
  points: readonly Point[];
  /** Right edge, milliseconds since 1970. */
  now: number;
  /** Length of the time axis. */
  windowMs: number;
  /** Points further apart than this are not joined. */
  gapMs: number;
  thresholds: Thresholds;
}

const FULL = 100;
const GRID = [25, 50, 75, FULL];

/** Percentages over a sliding window of time, newest at the right. */
export function LineChart({ label, points, now, windowMs, gapMs, thresholds }: LineChartProps) {
  const frame: ChartFrame = { from: now - windowMs, to: now, top: FULL, gapMs };
  const seen = points.filter((point) => point.at >= frame.from && point.at <= frame.to);
  const { line, area } = plot(seen, frame);
  const last = seen.findLast((point) => point.value !== null)?.value ?? null;
  const tone: Tone = last === null ? 'quiet' : toneAt(last, thresholds);
  return (
    <figure className={classes.chart} data-tone={tone}>
      <Plot label={label} frame={frame} points={seen}>
        <svg
          className={classes.svg}
          viewBox="0 0 100 100"
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          {GRID.map((value) => (
            <line
              key={value}
              className={classes.grid}
              x1="0"
              x2="100"
              y1={plotY(value, frame)}
              y2={plotY(value, frame)}
            />
          ))}
          <path className={classes.area} d={area} />
          <path className={classes.line} d={line} />
        </svg>
      </Plot>
      <figcaption className={classes.axis}>
        <span>{formatMinute(frame.from)}</span>
        <span>{formatMinute(frame.to)}</span>
        <Summary label={label} points={seen} />
      </figcaption>
    </figure>
  );
}

/** The numbers behind the picture, for everybody who cannot or need not read the line. */
function Summary({ label, points }: { label: string; points: readonly Point[] }) {
  const range = extent(points);
  if (!range) {
    return <span className={classes.summary}>No measurements in this span</span>;
  }
  return (
    <span className={classes.summary}>
      <span className="visually-hidden">{label}: </span>
      min {formatPercent(range.least)} · mean {formatPercent(range.mean)} · max{' '}
      {formatPercent(range.most)}
    </span>
  );
}

interface PlotProps {
  label: string;
  frame: ChartFrame;
  points: readonly Point[];
  children: React.ReactNode;
}

/** The drawing area; the pointer reads single measurements. */
function Plot({ label, frame, points, children }: PlotProps) {
  const [at, setAt] = useState<number>();
  const point = at === undefined ? undefined : nearest(points, at);
  const follow = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    setAt(frame.from + share * (frame.to - frame.from));
  };
  return (
    <div
      className={classes.plot}
      role="img"
      aria-label={`${label} over time`}
      onPointerMove={follow}
      onPointerLeave={() => setAt(undefined)}
    >
      {children}
      <span className={classes.top}>100%</span>
      {point && (
        <>
          <span
            className={classes.dot}
            style={{ left: `${plotX(point.at, frame)}%`, top: `${plotY(point.value, frame)}%` }}
          />
          <span
            className={classes.reading}
            data-side={plotX(point.at, frame) > 60 ? 'left' : 'right'}
            style={{ left: `${plotX(point.at, frame)}%` }}
          >
            <strong>{formatPercent(point.value)}</strong> {formatClock(point.at)}
          </span>
        </>
      )}
    </div>
  );
}
