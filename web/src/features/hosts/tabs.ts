import type { ComponentType } from 'react';
import type { HostDetail } from '@/api/schema';
import { AccessTab } from './AccessTab';
import { ActivityTab } from './ActivityTab';
import { NetworkTab } from './NetworkTab';
import { OverviewTab } from './OverviewTab';
import { StorageTab } from './StorageTab';

export interface HostTab {
  /** Stands in the address bar. */
  id: string;
  label: string;
  content: ComponentType<{ host: HostDetail }>;
}

/** Tabs of the page of one host, in their order. */
export const hostTabs: readonly [HostTab, ...HostTab[]] = [
  { id: 'overview', label: 'Overview', content: OverviewTab },
  { id: 'storage', label: 'Storage', content: StorageTab },
  { id: 'network', label: 'Network', content: NetworkTab },
  { id: 'access', label: 'Access', content: AccessTab },
  { id: 'activity', label: 'Activity', content: ActivityTab },
];
