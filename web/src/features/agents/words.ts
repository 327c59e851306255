import type { Agent, AgentStatus, Collision } from '@/api/schema';
import type { Tone } from '@/ui/tone';

export const STATUS_LABEL: Record<AgentStatus, string> = {
  pending: 'Pending',
  active: 'Active',
  offline: 'Offline',
  revoked: 'Revoked',
};

export const STATUS_TONE: Record<AgentStatus, Tone> = {
  pending: 'warn',
  active: 'ok',
  offline: 'quiet',
  revoked: 'bad',
};

export function platform(agent: Pick<Agent, 'os' | 'arch'>): string {
  return [agent.os, agent.arch].filter(Boolean).join(' · ') || 'Unknown platform';
}

const MATCHED_ON: Record<Collision['matched_on'], string> = {
  machine_id: 'machine id',
  hostname: 'hostname',
  address: 'address',
};

/** The name of the other host comes between the two texts, isolated from them. */
export interface CollisionText {
  before: string;
  after: string;
}

export function collisionText(collision: Collision): CollisionText {
  return {
    before: `Same ${MATCHED_ON[collision.matched_on]} as the host `,
    after:
      collision.status === 'online'
        ? ', which is online. Approval is refused until that host is offline or its agent is revoked.'
        : `, which is ${collision.status}. Approving hands that host over to this agent and revokes the old key.`,
  };
}
