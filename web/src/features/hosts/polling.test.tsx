import { act, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource } from '@/testing/eventSource';
import type { Endpoints, MockApi } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const ASKED: (keyof Endpoints)[] = [
  'GET /hosts',
  'GET /hosts/summary',
  'GET /hosts/facets',
  'GET /agents',
];

function counts(api: MockApi): number[] {
  return ASKED.map((endpoint) => api.to(endpoint).length);
}

async function pass(seconds: number) {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(seconds * 1_000);
  });
}

describe('while the stream is down', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('Spec: hosts 10: rows_and_counts_poll_every_30_s_systems_60_s_pending_15_s', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { api } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    expect(counts(api)).toEqual([1, 1, 1, 1]);
    await pass(16);
    expect(counts(api)).toEqual([1, 1, 1, 2]);
    await pass(15);
    expect(counts(api)).toEqual([2, 2, 1, 3]);
    await pass(30);
    expect(counts(api)).toEqual([3, 3, 2, 5]);
  });

  it('Spec: hosts 10: a_live_stream_needs_no_polling', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { api } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    FakeEventSource.latest('topics=fleet').accept();
    await pass(120);
    expect(counts(api)).toEqual([1, 1, 1, 1]);
  });
});
