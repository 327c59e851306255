import { Link, useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import classes from './AreaFrame.module.css';
import { type Area, type EntryGroup, useAreaGroups } from './areas';
import { TierBadge } from './TierBadge';

interface AreaFrameProps {
  area: Area;
  children: ReactNode;
}

/** Frame of an area: its own navigation beside the page, on a phone in a line above it. */
export function AreaFrame({ area, children }: AreaFrameProps) {
  const groups = useAreaGroups(area);
  const nav = useActiveInView();
  return (
    <div className={classes.frame}>
      <nav ref={nav} className={classes.nav} aria-label={area.label}>
        {groups.map((group) => (
          <Group key={group.entries[0]?.to} group={group} root={area.root} />
        ))}
      </nav>
      <div className={classes.page}>{children}</div>
    </div>
  );
}

function Group({ group, root }: { group: EntryGroup; root: string }) {
  const id = useId();
  return (
    <div className={classes.group}>
      {group.title && (
        <p id={id} className={classes.title}>
          {group.title}
        </p>
      )}
      <ul className={classes.list} aria-labelledby={group.title ? id : undefined}>
        {group.entries.map(({ to, label, icon: Icon, feature }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes.entry}
              activeOptions={{ exact: to === root, includeSearch: false }}
              activeProps={{ 'data-active': true }}
            >
              <Icon size={15} aria-hidden="true" />
              {label}
              <TierBadge feature={feature} />
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** In the line above the page the entry of this page may be far to the right: it is brought into view. */
function useActiveInView() {
  const here = useRouterState({ select: (state) => state.location.pathname });
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    const line = nav.current;
    const active = [...(line?.querySelectorAll('a') ?? [])].findLast(({ pathname }) =>
      `${here}/`.startsWith(`${pathname}/`),
    );
    if (line && active && line.scrollWidth > line.clientWidth) {
      line.scrollLeft = active.offsetLeft - (line.clientWidth - active.offsetWidth) / 2;
    }
  }, [here]);
  return nav;
}
