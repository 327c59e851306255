import { expect, it } from 'vitest';
import { type Features, lockedBy } from './features';

const KNOWN: Features = {
  tier: 'community',
  features: { auditLog: false, ssoOidc: true, ssoSaml: false },
  required_tiers: { auditLog: 'enterprise' },
};

it('a_closed_feature_names_the_tier_that_opens_it', () => {
  expect(lockedBy(KNOWN, 'auditLog')).toBe('enterprise');
  expect(lockedBy(KNOWN, 'ssoSaml')).toBe('pro');
});

it('open_and_unknown_features_are_not_closed', () => {
  expect(lockedBy(KNOWN, 'ssoOidc')).toBeUndefined();
  expect(lockedBy(KNOWN, 'whiteLabel')).toBeUndefined();
});

it('nothing_is_closed_before_the_server_said_so', () => {
  expect(lockedBy(undefined, 'auditLog')).toBeUndefined();
});
