import type { ReactNode } from 'react';
import classes from './Notice.module.css';

interface BannerProps {
  tone?: 'warn' | 'bad' | 'info';
  children: ReactNode;
  action?: ReactNode;
}

/** One line above content that is still there. */
export function Banner({ tone = 'warn', children, action }: BannerProps) {
  return (
    <div className={classes.banner} data-tone={tone} role={tone === 'info' ? 'status' : 'alert'}>
      <span>{children}</span>
      {action}
    </div>
  );
}
