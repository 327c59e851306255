import { useId, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import classes from './HoverList.module.css';

interface HoverListProps {
  items: readonly string[];
  /** So many items stand in the line; the rest appears on hover or focus. */
  shown: number;
  /** Names the items: "addresses". */
  noun: string;
}

const GAP_PX = 6;

/** The first items of a list, with the others behind "+3". */
export function HoverList({ items, shown, noun }: HoverListProps) {
  const rest = items.slice(shown);
  if (items.length === 0) {
    return <span className={classes.none}>–</span>;
  }
  return (
    <span className={classes.list}>
      {items.slice(0, Math.min(shown, items.length) - 1).map((item) => (
        <bdi key={item} className={classes.item}>
          {item}
        </bdi>
      ))}
      <span className={classes.tail}>
        <bdi className={classes.item}>{items[Math.min(shown, items.length) - 1]}</bdi>
        {rest.length > 0 && <Rest items={rest} noun={noun} />}
      </span>
    </span>
  );
}

function Rest({ items, noun }: { items: readonly string[]; noun: string }) {
  const id = useId();
  const anchor = useRef<HTMLButtonElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number }>();
  const open = () => {
    const box = anchor.current?.getBoundingClientRect();
    if (box) {
      setPlace({ left: box.left, top: box.bottom + GAP_PX });
    }
  };
  const close = () => setPlace(undefined);
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className={classes.more}
        aria-label={`${items.length} more ${noun}`}
        aria-describedby={place ? id : undefined}
        onMouseEnter={open}
        onMouseLeave={close}
        onFocus={open}
        onBlur={close}
        onClick={open}
        onKeyDown={(event) => event.key === 'Escape' && close()}
      >
        +{items.length}
      </button>
      {place &&
        createPortal(
          <span id={id} role="tooltip" className={classes.bubble} style={place}>
            {items.map((item) => (
              <bdi key={item} className={classes.item}>
                {item}
              </bdi>
            ))}
          </span>,
          document.body,
        )}
    </>
  );
}
