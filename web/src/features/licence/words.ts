import { type FeatureKey, TIER_NAMES } from '@/api/features';
import type { Licence, LicenceNotice, LicenceStatus } from '@/api/licence';
import type { Tone } from '@/ui/tone';

export const STATUS: Record<LicenceStatus, { label: string; tone: Tone }> = {
  none: { label: 'No licence', tone: 'quiet' },
  active: { label: 'In force', tone: 'ok' },
  not_yet_valid: { label: 'Not valid yet', tone: 'warn' },
  expired: { label: 'Expired', tone: 'bad' },
  revoked: { label: 'Revoked', tone: 'bad' },
  clock_rollback: { label: 'Clock set back', tone: 'bad' },
  invalid: { label: 'Not usable', tone: 'bad' },
};

/** What to do about a refused key; codes that are not here are told in the server's words. */
const ADVICE: Record<string, string> = {
  malformed: 'This is not a licence key, or part of it is missing. Paste the whole key.',
  bad_algorithm: 'This key is signed in a way that is not accepted. Ask the issuer for a new one.',
  bad_signature:
    'This key was not signed by the issuer that this server trusts, or it was changed on the way.',
  expired: 'This key has expired. Ask the issuer for a new one.',
  not_yet_valid: 'This key is not valid yet. Check the clock of the server.',
  wrong_organisation:
    'This key was made for another organisation. Send the activation token of this one to the issuer.',
  revoked: 'This key was revoked by its issuer.',
  looks_like_activation_token:
    'This is an activation token. Send it to the issuer, who answers with a licence key.',
  payload_too_large: 'This is too long to be a licence key.',
};

export function adviceFor(code: string): string | undefined {
  return ADVICE[code];
}

/** One sentence for every page. */
export function noticeText(notice: LicenceNotice): string {
  const closed = 'Paid features are closed; monitoring goes on and nothing is deleted.';
  switch (notice.status) {
    case 'active':
      return notice.days_left === 1
        ? 'The licence ends within a day.'
        : `The licence ends in ${notice.days_left} days.`;
    case 'expired':
      return `The licence has ended. ${closed}`;
    case 'revoked':
      return `The licence was revoked by its issuer. ${closed}`;
    case 'clock_rollback':
      return `The clock of the server was set back by more than a day. ${closed}`;
    case 'not_yet_valid':
      return `The licence is not valid yet. ${closed}`;
    default:
      return `The stored licence was changed outside CT-Ops and does not count. ${closed}`;
  }
}

export function seatsText(licence: Licence): string {
  const { used_seats: used, max_hosts: most } = licence;
  return most === null ? `${used}, no limit` : `${used} of ${most}`;
}

export function tierText(licence: Licence): string {
  const bought = licence.key?.tier;
  const now = TIER_NAMES[licence.tier];
  return bought && bought !== licence.tier ? `${now} (the key is for ${TIER_NAMES[bought]})` : now;
}

const FEATURES: Record<FeatureKey, string> = {
  certExpiryTracker: 'Certificate expiry',
  serviceAccountTracker: 'Service accounts',
  reportsExport: 'Export of reports',
  reportsScheduled: 'Scheduled reports',
  csrInternalCa: 'Internal certificate authority',
  sshKeyInventory: 'SSH keys',
  metricRetentionExtended: 'Longer history of metrics',
  metricExport: 'Export of metrics',
  ssoOidc: 'Sign-in through OpenID Connect',
  auditLog: 'Audit log',
  scheduledTasks: 'Scheduled tasks',
  alertRouting: 'Routing of alerts',
  notificationTemplates: 'Templates of notifications',
  ssoSaml: 'Sign-in through SAML',
  advancedRbac: 'Custom roles',
  compliancePack: 'Compliance',
  whiteLabel: 'Own name and logo',
  airgapBundlers: 'Bundles for closed networks',
  haDeployment: 'High availability',
};

/** The name of a feature; one that is new to this version is told by its key: "Ssh key inventory". */
export function featureText(key: string): string {
  const known = FEATURES[key as FeatureKey];
  if (known) {
    return known;
  }
  const words = key.replaceAll(/([A-Z])/g, ' $1').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
