import type { Tier } from './features';
import type { ListOf } from './schema';

export type LicenceStatus =
  | 'none'
  | 'active'
  | 'not_yet_valid'
  | 'expired'
  | 'revoked'
  | 'clock_rollback'
  | 'invalid';

export interface LicenceKey {
  jti: string;
  tier: Tier;
  customer_name: string;
  customer_email: string;
  max_hosts: number | null;
  issued_at: string;
  expires_at: string;
  verifier_fingerprint: string;
}

export interface LicenceNotice {
  status: LicenceStatus;
  /** Who dismissed one stage sees the next. */
  stage: string;
  days_left: number | null;
}

export interface Licence {
  status: LicenceStatus;
  tier: Tier;
  features: string[];
  unrecognised_features: string[];
  max_hosts: number | null;
  used_seats: number;
  key: LicenceKey | null;
  banner: LicenceNotice | null;
  revocations: {
    enabled: boolean;
    fetched_at: string | null;
    expires_at: string | null;
    last_error: string | null;
  };
  can_activate: boolean;
}

export interface ActivationToken {
  token: string;
  expires_at: string;
}

export interface LicenceHistoryItem {
  id: string;
  jti: string;
  tier: Tier;
  features: string[];
  max_hosts: number | null;
  customer_name: string;
  issued_at: string;
  expires_at: string;
  activated_by: { id: string; name: string } | null;
  activated_at: string;
  replaced_at: string | null;
}

export type LicenceHistory = ListOf<LicenceHistoryItem>;
