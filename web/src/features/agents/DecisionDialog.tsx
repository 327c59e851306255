import { notifications } from '@mantine/notifications';
import type { Agent } from '@/api/schema';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Decision, useDecide } from './api';
import { CollisionNote } from './CollisionNote';

export interface Asked {
  agent: Agent;
  decision: Decision;
}

interface DecisionDialogProps {
  asked: Asked | undefined;
  onClose: () => void;
}

const WORDS: Record<Decision, { title: string; label: string; text: string; done: string }> = {
  approve: {
    title: 'Approve agent?',
    label: 'Approve',
    text: 'It gets a certificate and begins to report. Compare the key fingerprint with the one on the machine.',
    done: 'approved',
  },
  reject: {
    title: 'Reject agent?',
    label: 'Reject',
    text: 'Its key is refused from now on. To enrol this machine later, it needs a new key.',
    done: 'rejected',
  },
  revoke: {
    title: 'Revoke agent?',
    label: 'Revoke',
    text: 'Its certificate is revoked and its connection ends within five seconds. To come back, the machine has to enrol with a new key.',
    done: 'revoked',
  },
};

/** Asks before a decision on an agent is sent. */
export function DecisionDialog({ asked, onClose }: DecisionDialogProps) {
  const decide = useDecide();
  if (!asked) {
    return null;
  }
  const { agent, decision } = asked;
  const words = WORDS[decision];
  const confirm = () =>
    decide.mutate(
      { id: agent.id, decision },
      {
        onSuccess: () => {
          notifications.show({
            message: (
              <>
                <bdi>{agent.hostname}</bdi> {words.done}
              </>
            ),
          });
          onClose();
        },
      },
    );
  return (
    <ConfirmDialog
      opened
      title={words.title}
      confirmLabel={words.label}
      danger={decision !== 'approve'}
      pending={decide.isPending}
      error={decide.error}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        <strong>
          <bdi>{agent.hostname}</bdi>
        </strong>
      </p>
      <p>{words.text}</p>
      {decision === 'approve' && agent.collision && <CollisionNote collision={agent.collision} />}
    </ConfirmDialog>
  );
}
