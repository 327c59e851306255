import { useSyncExternalStore } from 'react';

const TICK_MS = 5_000;

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** One timer serves every relative time on the page and rests when there is none. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const notify of listeners) {
        notify();
      }
    }, TICK_MS);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function snapshot(): number {
  // Within one render the value must not change, or React would render for ever.
  if (timer === undefined && Math.abs(Date.now() - now) > TICK_MS) {
    now = Date.now();
  }
  return now;
}

/** Milliseconds since 1970, renewed every five seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, snapshot);
}
