import { type ReactNode, useId } from 'react';
import classes from './Panel.module.css';

interface PanelProps {
  title: string;
  /** Stands at the right end of the title line. */
  aside?: ReactNode;
  children: ReactNode;
  /** The content brings its own padding, as tables do. */
  flush?: boolean;
  /** The page says the same above; the title stays for those who do not see it. */
  hideTitle?: boolean;
}

/** A titled box that is a landmark of the page. */
export function Panel({ title, aside, children, flush = false, hideTitle = false }: PanelProps) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <header className={hideTitle ? 'visually-hidden' : classes.head}>
        <h2 id={id} className={classes.title}>
          {title}
        </h2>
        {aside}
      </header>
      <div className={flush ? undefined : classes.body} data-first={hideTitle || undefined}>
        {children}
      </div>
    </section>
  );
}
