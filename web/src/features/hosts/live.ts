import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { apiUrl, segment } from '@/api/client';
import { type StreamState, useEventStream } from '@/api/events';
import type { HostDetail, HostUpdate, ListOf, Sample } from '@/api/schema';
import { hostDetailQuery, SAMPLE_MINUTES, samplesQuery } from './api';

/** The list with one more sample, without what left the window; an old or repeated one changes nothing. */
export function withSample(list: ListOf<Sample>, update: HostUpdate): ListOf<Sample> {
  const at = update.recorded_at;
  const last = list.items[list.items.length - 1];
  if (at === null || (last && Date.parse(at) <= Date.parse(last.at))) {
    return list;
  }
  const { cpu_percent, memory_percent, disk_percent } = update;
  const oldest = Date.parse(at) - SAMPLE_MINUTES * 60_000;
  return {
    items: [
      ...list.items.filter((sample) => Date.parse(sample.at) >= oldest),
      { at, cpu_percent, memory_percent, disk_percent },
    ],
  };
}

function withUpdate(host: HostDetail, update: HostUpdate): HostDetail {
  const agent = host.agent && { ...host.agent, last_heartbeat_at: update.last_seen_at };
  return { ...host, ...update, id: host.id, agent };
}

export interface HostLive {
  stream: StreamState;
  deleted: boolean;
}

/** Follows one host: its vitals, its status and its end. */
export function useHostLive(id: string): HostLive {
  const client = useQueryClient();
  const [deletedId, setDeletedId] = useState<string>();
  const deleted = deletedId === id;
  const detail = hostDetailQuery(id).queryKey;
  const samples = samplesQuery(id).queryKey;
  const url = apiUrl(`/hosts/${segment(id)}/events`);
  const stream = useEventStream(deleted ? undefined : url, {
    on: {
      'host.updated': (data) => {
        const update = data as HostUpdate;
        client.setQueryData(detail, (host) => host && withUpdate(host, update));
        client.setQueryData(samples, (list) => list && withSample(list, update));
      },
      'host.deleted': () => setDeletedId(id),
    },
    onReset: () => {
      client.invalidateQueries({ queryKey: detail });
      client.invalidateQueries({ queryKey: samples });
    },
  });
  return { stream, deleted };
}
