import { formatPercent } from './format';
import classes from './Meter.module.css';
import { type Thresholds, toneAt } from './tone';

interface MeterProps {
  /** Percent, 0 to 100; null is shown as a dash. */
  value: number | null;
  thresholds: Thresholds;
}

/** A percentage as a number and a bar. The number carries the value, the bar is decoration. */
export function Meter({ value, thresholds }: MeterProps) {
  if (value === null) {
    return <span className={classes.missing}>–</span>;
  }
  const width = `${Math.min(100, Math.max(0, value))}%`;
  return (
    <span className={classes.meter} data-tone={toneAt(value, thresholds)}>
      <span className={classes.value}>{formatPercent(value)}</span>
      <span className={classes.track} aria-hidden="true">
        <span className={classes.bar} style={{ width }} />
      </span>
    </span>
  );
}
