import type { ReactNode } from 'react';
import classes from './CentredPage.module.css';

interface CentredPageProps {
  title: string;
  description?: ReactNode;
  children: ReactNode;
}

/** A single card in the middle, for pages before sign-in. */
export function CentredPage({ title, description, children }: CentredPageProps) {
  return (
    <main className={classes.page}>
      <title>{`${title} · CT-Ops`}</title>
      <div className={classes.card}>
        <img src="/favicon.svg" alt="" width={36} height={36} />
        <div>
          <h1 className={classes.title}>{title}</h1>
          {description && <p className={classes.description}>{description}</p>}
        </div>
        {children}
      </div>
    </main>
  );
}
