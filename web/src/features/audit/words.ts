import type { AuditEvent } from '@/api/schema';
import type { Tone } from '@/ui/tone';

export const OUTCOMES = ['success', 'denied', 'failed'] as const;

const OUTCOME_LABEL: Record<string, string> = {
  success: 'Success',
  denied: 'Denied',
  failed: 'Failed',
};

const OUTCOME_TONE: Record<string, Tone> = { success: 'ok', denied: 'warn', failed: 'bad' };

export const ACTOR_KINDS: Record<string, string> = {
  user: 'Person',
  api_key: 'API key',
  system: 'Server',
  agent: 'Agent',
  setup: 'Set-up',
  support_cli: 'Operator',
  anonymous: 'Not signed in',
};

export function outcomeLabel(outcome: string): string {
  return OUTCOME_LABEL[outcome] ?? outcome;
}

export function outcomeTone(outcome: string): Tone {
  return OUTCOME_TONE[outcome] ?? 'quiet';
}

export function actorName(event: AuditEvent): string {
  return event.actor.name ?? ACTOR_KINDS[event.actor.kind] ?? event.actor.kind;
}

export function targetName(event: AuditEvent): string {
  return event.target_label ?? event.target_id ?? event.target_type;
}

const FORWARDER_KINDS: Record<string, string> = {
  syslog_tls: 'Syslog over TLS',
  syslog_tcp: 'Syslog over TCP',
  webhook: 'Webhook',
};

export const FORWARDER_CHOICES = Object.entries(FORWARDER_KINDS).map(([value, label]) => ({
  value,
  label,
}));

export function forwarderKind(kind: string): string {
  return FORWARDER_KINDS[kind] ?? kind;
}

/** What is wrong with a chain, in words. */
const BREAKS: Record<string, string> = {
  event_missing: 'the event was removed',
  event_changed: 'the event was changed',
  link_missing: 'a link of the chain was removed',
  link_changed: 'the link does not follow the one before it',
  checkpoint_mismatch: 'the chain differs from a signed checkpoint',
  checkpoint_forged: 'a checkpoint was not signed by this installation',
  end_missing: 'the newest events were removed',
  beginning_missing: 'the oldest events were removed without a signed record',
};

export function breakText(reason: string): string {
  return BREAKS[reason] ?? reason;
}
