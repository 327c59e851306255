import { Skeleton } from '@mantine/core';
import classes from './TableSkeleton.module.css';

interface TableSkeletonProps {
  rows: number;
}

/** Stands where a table will be, with rows of the same height. */
export function TableSkeleton({ rows }: TableSkeletonProps) {
  const keys = Array.from({ length: rows }, (_, index) => index);
  return (
    <div className={classes.table} aria-hidden="true">
      <div className={classes.head} />
      {keys.map((key) => (
        <div key={key} className={classes.row}>
          <Skeleton height={12} width="22%" />
          <Skeleton height={12} width="18%" />
          <Skeleton height={12} width="30%" />
          <Skeleton height={12} width="12%" />
        </div>
      ))}
    </div>
  );
}
