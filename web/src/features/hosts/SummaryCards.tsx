import { Link } from '@tanstack/react-router';
import type { HostSummary } from '@/api/schema';
import { formatCount } from '@/ui/format';
import type { Tone } from '@/ui/tone';
import classes from './SummaryCards.module.css';
import type { HostSearch } from './search';

interface Card {
  label: string;
  count: number;
  hint?: string;
  tone: Tone;
  /** The list behind the number. */
  search: HostSearch;
}

function cardsOf(summary: HostSummary): Card[] {
  const { online_percent: share } = summary;
  return [
    { label: 'Total', count: summary.total, tone: 'quiet', search: {} },
    {
      label: 'Online',
      count: summary.online,
      hint: share === null ? undefined : `${Math.round(share)}%`,
      tone: 'ok',
      search: { status: 'online' },
    },
    {
      label: 'Offline',
      count: summary.offline,
      tone: summary.offline > 0 ? 'bad' : 'quiet',
      search: { status: 'offline' },
    },
    {
      label: 'Stale',
      count: summary.stale,
      hint: 'not seen for 15 min',
      tone: summary.stale > 0 ? 'warn' : 'quiet',
      search: { stale: 'true' },
    },
    {
      label: 'Pending approval',
      count: summary.pending_approval,
      tone: summary.pending_approval > 0 ? 'warn' : 'quiet',
      search: { status: 'pending' },
    },
  ];
}

/** The fleet in five numbers; each leads to the hosts it counts. */
export function SummaryCards({ summary }: { summary: HostSummary }) {
  return (
    <ul className={classes.cards} aria-label="Fleet summary">
      {cardsOf(summary).map((card) => (
        <li key={card.label}>
          <Link to="/hosts" search={card.search} className={classes.card} data-tone={card.tone}>
            <span className={classes.label}>{card.label}</span>{' '}
            <span className={classes.numbers}>
              <span className={classes.count}>{formatCount(card.count)}</span>{' '}
              {card.hint && <span className={classes.hint}>{card.hint}</span>}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
