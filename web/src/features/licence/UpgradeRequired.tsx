import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { type FeatureKey, TIER_NAMES, type Tier, useLocked } from '@/api/features';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';

interface UpgradeRequiredProps {
  tier: Tier;
  /** What the page would show: "The audit log". */
  what: string;
}

/** Stands in the place of a page whose feature the licence does not open. */
export function UpgradeRequired({ tier, what }: UpgradeRequiredProps) {
  const mayUpgrade = useCan('licence.manage');
  return (
    <Notice
      title="Upgrade required"
      action={
        mayUpgrade && (
          <Button component={Link} to="/settings/licence">
            See the licence
          </Button>
        )
      }
    >
      {what} is part of {TIER_NAMES[tier]}.
      {!mayUpgrade && ' Ask an administrator of your organisation.'}
    </Notice>
  );
}

interface LicensedProps {
  feature: FeatureKey;
  what: string;
  children: ReactNode;
}

/** Shows its children when the licence opens the feature, else what is missing. */
export function Licensed({ feature, what, children }: LicensedProps) {
  const tier = useLocked(feature);
  return tier === undefined ? children : <UpgradeRequired tier={tier} what={what} />;
}
