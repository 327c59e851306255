import { useCallback, useEffect, useRef } from 'react';
import { apiUrl } from './client';
import { type StreamState, useEventStream } from './events';
import type { FleetChange } from './schema';

export type FleetKind = FleetChange['kinds'][number];

const FLEET_STREAM = apiUrl('/events', { topics: 'fleet' });

const ALL_KINDS: readonly FleetKind[] = ['vitals', 'status', 'agents', 'hosts'];
const PACE_MS = 1_000;

type OnChange = (kinds: ReadonlySet<FleetKind>) => Promise<unknown>;

/**
 * Follows changes of the fleet. `onChange` gets what changed since it was called last, and every
 * kind when something may have been missed. It is called at most once a second and never again
 * before its promise is settled, so that a slow answer is not cancelled by the next question.
 */
export function useFleetStream(onChange: OnChange): StreamState {
  const collect = usePacedKinds(onChange);
  return useEventStream(FLEET_STREAM, {
    on: { 'fleet.changed': (data) => collect(kindsOf(data)) },
    onReset: () => collect(ALL_KINDS),
  });
}

function kindsOf(data: unknown): readonly FleetKind[] {
  const kinds = (data as Partial<FleetChange> | null)?.kinds;
  return Array.isArray(kinds) ? kinds : ALL_KINDS;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PACE_MS));
}

function usePacedKinds(onChange: OnChange): (kinds: readonly FleetKind[]) => void {
  const latest = useRef(onChange);
  const waiting = useRef(new Set<FleetKind>());
  const running = useRef(false);
  const mounted = useRef(true);
  useEffect(() => {
    latest.current = onChange;
  });
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);

  return useCallback((kinds: readonly FleetKind[]) => {
    for (const kind of kinds) {
      waiting.current.add(kind);
    }
    const run = async () => {
      running.current = true;
      while (mounted.current && waiting.current.size > 0) {
        const changed = waiting.current;
        waiting.current = new Set();
        await Promise.allSettled([latest.current(changed), pause()]);
      }
      running.current = false;
    };
    if (!running.current) {
      void run();
    }
  }, []);
}
