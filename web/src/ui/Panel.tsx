import { type ReactNode, useId } from 'react';
import classes from './Panel.module.css';

interface PanelProps {
  title: string;
  /** Stands at the right end of the title line. */
  aside?: ReactNode;
  children: ReactNode;
  /** The content brings its own padding, as tables do. */
  flush?: boolean;
}

/** A titled box that is a landmark of the page. */
export function Panel({ title, aside, children, flush = false }: PanelProps) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <header className={classes.head}>
        <h2 id={id} className={classes.title}>
          {title}
        </h2>
        {aside}
      </header>
      <div className={flush ? undefined : classes.body}>{children}</div>
    </section>
  );
}
