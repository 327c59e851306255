import classes from './StatusBadge.module.css';
import type { Tone } from './tone';

interface StatusBadgeProps {
  tone: Tone;
  label: string;
}

/** A word with a coloured mark: the colour is never the only carrier of the meaning. */
export function StatusBadge({ tone, label }: StatusBadgeProps) {
  return (
    <span className={classes.badge} data-tone={tone}>
      {label}
    </span>
  );
}
