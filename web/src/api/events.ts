import { useEffect, useRef, useState } from 'react';

export type StreamState = 'connecting' | 'live' | 'down';

export interface EventStreamOptions {
  url: string;
  /** Handlers by event name; each gets the parsed JSON data. */
  on: Record<string, (data: unknown) => void>;
  /** Something may have been missed: read the state again. */
  onReset: () => void;
  onState: (state: StreamState) => void;
}

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Opens a stream of server-sent events and keeps it open until the returned function is called.
 *
 * The browser reconnects by itself after a lost connection. After a refusal (429, 401, a proxy's
 * error page) it gives up, so a new stream is opened with growing delays.
 */
export function openEventStream(options: EventStreamOptions): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;
  let wasDown = false;
  let closed = false;

  const connect = () => {
    source = new EventSource(options.url, { withCredentials: true });
    source.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      options.onState('live');
      if (wasDown) {
        wasDown = false;
        options.onReset();
      }
    };
    source.onerror = () => {
      if (!wasDown) {
        wasDown = true;
        options.onState('down');
        // One look at the state at once: it also finds out that the session has ended.
        options.onReset();
      }
      if (source?.readyState === EventSource.CLOSED && !closed) {
        source.close();
        timer = setTimeout(connect, retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    };
    source.addEventListener('reset', () => options.onReset());
    for (const [name, handle] of Object.entries(options.on)) {
      source.addEventListener(name, (event) => {
        const data = parse((event as MessageEvent<string>).data);
        if (data !== undefined) {
          handle(data);
        }
      });
    }
  };

  options.onState('connecting');
  connect();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Holds one event stream while the component is mounted; handlers may change at any time. */
export function useEventStream(
  url: string | undefined,
  handlers: Pick<EventStreamOptions, 'on' | 'onReset'>,
): StreamState {
  const [state, setState] = useState<StreamState>('connecting');
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  const names = Object.keys(handlers.on).join(',');
  useEffect(() => {
    if (url === undefined) {
      return undefined;
    }
    const on: EventStreamOptions['on'] = {};
    for (const name of names.split(',')) {
      on[name] = (data) => latest.current.on[name]?.(data);
    }
    return openEventStream({ url, on, onReset: () => latest.current.onReset(), onState: setState });
  }, [url, names]);
  return state;
}

/** How often to ask while the stream is down; false (never) while it is live. */
export function pollWhenDown(state: StreamState, intervalMs: number): number | false {
  return state === 'live' ? false : intervalMs;
}
