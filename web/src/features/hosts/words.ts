import type { HostRow, HostStatus } from '@/api/schema';
import type { Thresholds, Tone } from '@/ui/tone';

export const STATUS_LABEL: Record<HostStatus, string> = {
  online: 'Online',
  offline: 'Offline',
  unknown: 'Unknown',
  pending: 'Pending',
};

export const STATUS_TONE: Record<HostStatus, Tone> = {
  online: 'ok',
  offline: 'bad',
  unknown: 'quiet',
  pending: 'warn',
};

/** Colours of the percentages in the list. */
export const LIST_THRESHOLDS: Thresholds = { warn: 60, bad: 80 };

/** Colours of the percentages on the page of one host. */
export const HOST_THRESHOLDS: Thresholds = { warn: 70, bad: 90 };

export const HOTSPOT_LABEL = { cpu: 'CPU', memory: 'Memory', disk: 'Disk' } as const;

const SYSTEMS: Record<string, string> = {
  linux: 'Linux',
  darwin: 'macOS',
  windows: 'Windows',
  unknown: 'Unknown',
};

/** The agent reports the names of its tool chain; people know others. */
export function osLabel(os: string | null): string {
  return os ? (SYSTEMS[os] ?? os) : 'Unknown';
}

export function hostName(host: Pick<HostRow, 'display_name' | 'hostname'>): string {
  return host.display_name || host.hostname;
}
