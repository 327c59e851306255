import type { ReactNode } from 'react';
import { Loadable, type Loaded } from './Loadable';
import { Notice } from './Notice';
import classes from './PageFrame.module.css';

interface PageFrameProps<T> {
  title: string;
  /** What stands in place of the title text, such as a name with a status; default is the title. */
  heading?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  query: Loaded<T>;
  allowed: boolean;
  /** Says what the viewer lacks. */
  noPermission: string;
  loading: ReactNode;
  empty: ReactNode;
  isEmpty: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/** Frame of every page. Its states are required, so that no page can forget one. */
export function PageFrame<T>(props: PageFrameProps<T>) {
  const { title, heading, description, actions, allowed, noPermission, ...content } = props;
  return (
    <div className={classes.page}>
      <title>{`${title} · CT-Ops`}</title>
      <header className={classes.head}>
        <div className={classes.names}>
          <h1 className={classes.title}>{heading ?? title}</h1>
          {description && <div className={classes.description}>{description}</div>}
        </div>
        {allowed && actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {allowed ? <Loadable {...content} /> : <Notice title="No permission">{noPermission}</Notice>}
    </div>
  );
}
