import classes from './LiveMark.module.css';

interface LiveMarkProps {
  live: boolean;
  /** How often the page asks while the stream is down. */
  pollSeconds: number;
}

/** Says whether the page is fed by a stream or asks now and then. */
export function LiveMark({ live, pollSeconds }: LiveMarkProps) {
  return (
    <span
      className={classes.mark}
      data-live={live}
      role="status"
      title={
        live
          ? 'Changes appear within two seconds'
          : `No event stream: the page asks every ${pollSeconds} seconds`
      }
    >
      {live ? 'Live' : 'Polling'}
    </span>
  );
}
