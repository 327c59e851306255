import { queryOptions, useQuery } from '@tanstack/react-query';
import { api } from './client';

export type Tier = 'community' | 'pro' | 'enterprise';

/** Feature keys of licences, as the server names them. */
export type FeatureKey =
  | 'certExpiryTracker'
  | 'serviceAccountTracker'
  | 'reportsExport'
  | 'reportsScheduled'
  | 'csrInternalCa'
  | 'sshKeyInventory'
  | 'metricRetentionExtended'
  | 'metricExport'
  | 'ssoOidc'
  | 'auditLog'
  | 'scheduledTasks'
  | 'alertRouting'
  | 'notificationTemplates'
  | 'ssoSaml'
  | 'advancedRbac'
  | 'compliancePack'
  | 'whiteLabel'
  | 'airgapBundlers'
  | 'haDeployment';

export interface Features {
  tier: Tier;
  features: Record<string, boolean>;
  required_tiers: Record<string, Tier>;
}

export const FEATURES_KEY = ['features'];

export const featuresQuery = queryOptions({
  queryKey: FEATURES_KEY,
  queryFn: ({ signal }) => api.get<Features>('/features', undefined, signal),
  staleTime: 60_000,
});

/** What the organisation may use; undefined until the server said so. */
export function useFeatures(): Features | undefined {
  return useQuery(featuresQuery).data;
}

/**
 * The tier that would open a feature, when it is closed. While nothing is known the feature counts
 * as open: the server decides anyway.
 */
export function useLocked(feature: FeatureKey | undefined): Tier | undefined {
  const known = useFeatures();
  return feature === undefined ? undefined : lockedBy(known, feature);
}

export function lockedBy(known: Features | undefined, feature: FeatureKey): Tier | undefined {
  if (known === undefined || known.features[feature] !== false) {
    return undefined;
  }
  return known.required_tiers[feature] ?? 'pro';
}

export const TIER_NAMES: Record<Tier, string> = {
  community: 'Community',
  pro: 'Pro',
  enterprise: 'Enterprise',
};
