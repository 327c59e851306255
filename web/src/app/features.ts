import { agents } from '@/features/agents';
import { enrolment } from '@/features/enrolment';
import { hosts } from '@/features/hosts';
import { sessions } from '@/features/sessions';

/** Every feature behind sign-in, in the order of the navigation. A new one adds its line here. */
export const features = [hosts, enrolment, agents, sessions] as const;
