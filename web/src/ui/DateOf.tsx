import { formatDate, formatExact, formatRelative } from './format';
import { useNow } from './useNow';

interface DateOfProps {
  /** ISO 8601 time. */
  at: string;
}

/** A day to plan for, with how far it is: "22 Nov 2027, in 364 d". The exact time is on hover. */
export function DateOf({ at }: DateOfProps) {
  const now = useNow();
  const atMs = Date.parse(at);
  if (Number.isNaN(atMs)) {
    return <span>–</span>;
  }
  return (
    <time dateTime={at} title={formatExact(atMs)}>
      {formatDate(atMs)}, {formatRelative(atMs, now)}
    </time>
  );
}
