import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './Notice.module.css';

interface NoticeProps {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** The text that stands in the place of missing content: nothing there, not found, not allowed. */
export function Notice({ title, children, action }: NoticeProps) {
  return (
    <div className={classes.notice}>
      <p className={classes.title}>{title}</p>
      {children && <div className={classes.text}>{children}</div>}
      {action}
    </div>
  );
}

interface ErrorNoticeProps {
  error: unknown;
  onRetry?: () => void;
}

/** A failure in words, with the request id that an operator can search the log for. */
export function ErrorNotice({ error, onRetry }: ErrorNoticeProps) {
  const requestId = requestIdOf(error);
  return (
    <div role="alert">
      <Notice
        title={errorText(error)}
        action={
          onRetry && (
            <Button variant="default" onClick={onRetry}>
              Try again
            </Button>
          )
        }
      >
        {requestId && (
          <>
            Request id <code>{requestId}</code>
          </>
        )}
      </Notice>
    </div>
  );
}

export function errorText(error: unknown): string {
  return error instanceof Error && error.message ? error.message : 'Something went wrong.';
}

function requestIdOf(error: unknown): string | undefined {
  const id = (error as { requestId?: unknown } | null)?.requestId;
  return typeof id === 'string' ? id : undefined;
}
