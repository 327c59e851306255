import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { Banner } from './Banner';
import { ErrorNotice, errorText } from './Notice';

/** The part of a query result that decides what is shown. */
export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

interface LoadableProps<T> {
  query: Loaded<T>;
  loading: ReactNode;
  /** Stands in for the content when `isEmpty` says so. */
  empty: ReactNode;
  isEmpty: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/** Content that is loading, failed, empty or there; a failed refresh keeps what was there. */
export function Loadable<T>({ query, loading, empty, isEmpty, children }: LoadableProps<T>) {
  if (query.data === undefined) {
    return query.error ? (
      <ErrorNotice error={query.error} onRetry={() => query.refetch()} />
    ) : (
      <div aria-busy="true">{loading}</div>
    );
  }
  return (
    <>
      {Boolean(query.error) && (
        <Banner
          action={
            <Button variant="default" size="xs" onClick={() => query.refetch()}>
              Try again
            </Button>
          }
        >
          Not up to date. {errorText(query.error)}
        </Banner>
      )}
      {isEmpty(query.data) ? empty : children(query.data)}
    </>
  );
}
