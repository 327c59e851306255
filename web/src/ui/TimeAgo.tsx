import { formatExact, formatRelative } from './format';
import { useNow } from './useNow';

interface TimeAgoProps {
  /** ISO 8601 time; missing is shown as `missing`. */
  at: string | null | undefined;
  missing?: string;
  /** A past event never reads "in 3 s" because two clocks differ a little. */
  kind?: 'past' | 'any';
}

/** A relative time that stays current, with the exact one in the viewer's zone on hover. */
export function TimeAgo({ at, missing = 'never', kind = 'past' }: TimeAgoProps) {
  const now = useNow();
  const atMs = at ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(atMs)) {
    return <span>{missing}</span>;
  }
  return (
    <time dateTime={at ?? undefined} title={formatExact(atMs)}>
      {formatRelative(kind === 'past' ? Math.min(atMs, now) : atMs, now)}
    </time>
  );
}
