import { ChevronFirst, ChevronLast, ChevronLeft, ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { formatCount } from './format';
import classes from './Pager.module.css';

interface PagerProps {
  /** 1-based. */
  page: number;
  pageSize: number;
  total: number;
  onPage: (page: number) => void;
  /** Page size choice or the like, left of the buttons. */
  children?: ReactNode;
}

/** "from–to of total" with first, previous, next and last. */
export function Pager({ page, pageSize, total, onPage, children }: PagerProps) {
  const last = Math.max(1, Math.ceil(total / pageSize));
  const from = (page - 1) * pageSize + 1;
  const to = Math.min(page * pageSize, total);
  const range =
    from > total
      ? `0 of ${formatCount(total)}`
      : `${formatCount(from)}–${formatCount(to)} of ${formatCount(total)}`;
  return (
    <nav className={classes.pager} aria-label="Pages">
      {children}
      <span className={classes.range} aria-live="polite">
        {range}
      </span>
      <span className={classes.buttons}>
        <Step label="First page" disabled={page <= 1} onClick={() => onPage(1)}>
          <ChevronFirst size={16} aria-hidden="true" />
        </Step>
        <Step
          label="Previous page"
          disabled={page <= 1}
          onClick={() => onPage(Math.min(page - 1, last))}
        >
          <ChevronLeft size={16} aria-hidden="true" />
        </Step>
        <Step label="Next page" disabled={page >= last} onClick={() => onPage(page + 1)}>
          <ChevronRight size={16} aria-hidden="true" />
        </Step>
        <Step label="Last page" disabled={page >= last} onClick={() => onPage(last)}>
          <ChevronLast size={16} aria-hidden="true" />
        </Step>
      </span>
    </nav>
  );
}

interface StepProps {
  label: string;
  disabled: boolean;
  onClick: () => void;
  children: ReactNode;
}

function Step({ label, disabled, onClick, children }: StepProps) {
  return (
    <button
      type="button"
      className={classes.step}
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
