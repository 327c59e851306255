import { type FeatureKey, TIER_NAMES, useLocked } from '@/api/features';
import classes from './TierBadge.module.css';

/** Names the tier that opens a feature, when the licence does not. */
export function TierBadge({ feature }: { feature: FeatureKey | undefined }) {
  const tier = useLocked(feature);
  return tier && <span className={classes.badge}>{TIER_NAMES[tier]}</span>;
}
