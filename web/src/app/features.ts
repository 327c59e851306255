import { agents } from '@/features/agents';
import { apiKeys } from '@/features/api-keys';
import { audit } from '@/features/audit';
import { enrolment } from '@/features/enrolment';
import { hosts } from '@/features/hosts';
import { licence } from '@/features/licence';
import { security } from '@/features/security';
import { sessions } from '@/features/sessions';

/** Every feature behind sign-in, in the order of the navigation. A new one adds its line here. */
export const features = [
  hosts,
  enrolment,
  agents,
  sessions,
  audit,
  security,
  apiKeys,
  licence,
] as const;
