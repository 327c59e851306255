import { agents } from '@/features/agents';
import { apiKeys } from '@/features/api-keys';
import { audit } from '@/features/audit';
import { directory } from '@/features/directory';
import { enrolment } from '@/features/enrolment';
import { hosts } from '@/features/hosts';
import { identityProviders } from '@/features/identity-providers';
import { ldapConfigurations } from '@/features/ldap-configurations';
import { licence } from '@/features/licence';
import { organisation } from '@/features/organisation';
import { people } from '@/features/people';
import { recovery } from '@/features/recovery';
import { security } from '@/features/security';
import { sessions } from '@/features/sessions';
import { settings } from '@/features/settings';
import { teams } from '@/features/teams';

/** Every feature behind sign-in, in the order of the navigation. A new one adds its line here. */
export const features = [
  hosts,
  enrolment,
  agents,
  sessions,
  audit,
  security,
  recovery,
  apiKeys,
  licence,
  settings,
  people,
  teams,
  organisation,
  identityProviders,
  directory,
  ldapConfigurations,
] as const;
