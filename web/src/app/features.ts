import { agents } from '@/features/agents';
import { apiKeys } from '@/features/api-keys';
import { audit } from '@/features/audit';
import { directory } from '@/features/directory';
import { enrolment } from '@/features/enrolment';
import { hostGroups } from '@/features/host-groups';
import { hosts } from '@/features/hosts';
import { identityProviders } from '@/features/identity-providers';
import { internalTargets } from '@/features/internal-targets';
import { ldapConfigurations } from '@/features/ldap-configurations';
import { licence } from '@/features/licence';
import { organisation } from '@/features/organisation';
import { people } from '@/features/people';
import { profile } from '@/features/profile';
import { recovery } from '@/features/recovery';
import { roles } from '@/features/roles';
import { security } from '@/features/security';
import { sessions } from '@/features/sessions';
import { settings } from '@/features/settings';
import { teams } from '@/features/teams';

/** Every feature behind sign-in, in the order of the navigation. A new one adds its line here. */
export const features = [
  hosts,
  hostGroups,
  enrolment,
  agents,
  profile,
  sessions,
  audit,
  security,
  recovery,
  apiKeys,
  licence,
  settings,
  people,
  teams,
  roles,
  organisation,
  identityProviders,
  internalTargets,
  directory,
  ldapConfigurations,
] as const;
