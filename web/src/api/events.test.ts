import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource } from '@/testing/eventSource';
import { openEventStream, pollWhenDown, type StreamState } from './events';

function openStream() {
  const states: StreamState[] = [];
  const seen: unknown[] = [];
  const onReset = vi.fn();
  const close = openEventStream({
    url: '/api/v1/events?topics=fleet',
    on: { 'fleet.changed': (data) => seen.push(data) },
    onReset,
    onState: (state) => states.push(state),
  });
  return { states, seen, onReset, close, source: () => FakeEventSource.latest('/events') };
}

describe('event stream', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('Spec: hosts 10: hands_on_events_while_it_is_live', () => {
    const { states, seen, onReset, source } = openStream();
    source().accept();
    source().emit('fleet.changed', { kinds: ['vitals'] });
    expect(states).toEqual(['connecting', 'live']);
    expect(seen).toEqual([{ kinds: ['vitals'] }]);
    expect(onReset).not.toHaveBeenCalled();
  });

  it('Spec: hosts 10: a_lost_connection_is_down_until_the_browser_is_back', () => {
    const { states, onReset, source } = openStream();
    source().accept();
    source().drop();
    source().drop();
    expect(states.at(-1)).toBe('down');
    expect(onReset).toHaveBeenCalledTimes(1);
    source().accept();
    expect(states.at(-1)).toBe('live');
    expect(onReset).toHaveBeenCalledTimes(2);
    expect(FakeEventSource.opened).toHaveLength(1);
  });

  it('Spec: hosts 10: after_a_refusal_it_tries_again_with_growing_delays', () => {
    openStream().source().refuse();
    vi.advanceTimersByTime(999);
    expect(FakeEventSource.opened).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(FakeEventSource.opened).toHaveLength(2);
    FakeEventSource.opened[1]?.refuse();
    vi.advanceTimersByTime(1_999);
    expect(FakeEventSource.opened).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(FakeEventSource.opened).toHaveLength(3);
  });

  it('Spec: api-conventions 10: a_reset_asks_for_the_state_again', () => {
    const { onReset, source } = openStream();
    source().accept();
    source().emit('reset', {});
    expect(onReset).toHaveBeenCalledTimes(1);
  });

  it('an_event_that_is_not_json_is_dropped', () => {
    const { seen, source } = openStream();
    source().accept();
    source().dispatchEvent(new MessageEvent('fleet.changed', { data: '{' }));
    expect(seen).toEqual([]);
  });

  it('once_closed_it_does_not_come_back', () => {
    const { close, source } = openStream();
    source().refuse();
    close();
    vi.advanceTimersByTime(60_000);
    expect(FakeEventSource.opened).toHaveLength(1);
  });

  it('Spec: hosts 10: polling_happens_only_while_the_stream_is_not_live', () => {
    expect(pollWhenDown('live', 30_000)).toBe(false);
    expect(pollWhenDown('down', 30_000)).toBe(30_000);
    expect(pollWhenDown('connecting', 15_000)).toBe(15_000);
  });
});
