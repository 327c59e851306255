import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { Invited, Role } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { errorText } from '@/ui/Notice';
import { useInvite } from './api';
import { RoleChoice } from './RoleChoice';

interface InviteDialogProps {
  opened: boolean;
  onClose: () => void;
}

/** Asks whom to invite as what, then shows the link this one time. */
export function InviteDialog({ opened, onClose }: InviteDialogProps) {
  const invite = useInvite();
  const close = () => {
    invite.reset();
    onClose();
  };
  const done = invite.data;
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={done ? 'Invitation' : 'Invite somebody'}
      // The link is gone after this; a stray click beside the dialog must not close it.
      closeOnClickOutside={!done}
      closeOnEscape={!done}
    >
      {done ? (
        <InvitedView invited={done} onDone={close} />
      ) : (
        <InviteForm
          pending={invite.isPending}
          error={invite.error}
          onSubmit={(email, roles) => invite.mutate({ email, roles })}
          onCancel={close}
        />
      )}
    </Modal>
  );
}

/** The link of an invitation, or that the person is back without one. */
export function InvitedView({ invited, onDone }: { invited: Invited; onDone: () => void }) {
  return (
    <Stack gap="md">
      {invited.status === 'restored' ? (
        <div>This person had been removed and is back, with the account they had.</div>
      ) : (
        <>
          <div>
            <bdi>{invited.invitation.email}</bdi> gets this link by mail, if mail is set up. It
            works once and for 7 days, and is shown only now.
          </div>
          <Copyable text={invited.link} label="invitation link" display="block" />
        </>
      )}
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}

interface InviteFormProps {
  pending: boolean;
  error: unknown;
  onSubmit: (email: string, roles: Role[]) => void;
  onCancel: () => void;
}

function InviteForm({ pending, error, onSubmit, onCancel }: InviteFormProps) {
  const [email, setEmail] = useState('');
  const [roles, setRoles] = useState<Role[]>(['read_only']);
  const [checked, setChecked] = useState(false);
  const fields = isProblem(error) ? error.fieldMessages() : {};
  const plausible = /^\S+@\S+$/.test(email.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (plausible && roles.length > 0) {
      onSubmit(email.trim(), roles);
    }
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md">
        {Boolean(error) && Object.keys(fields).length === 0 && (
          <Banner tone="bad">{errorText(error)}</Banner>
        )}
        <TextInput
          label="Email"
          type="email"
          autoComplete="off"
          data-autofocus
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={checked && !plausible ? 'Enter an email address.' : fields.email}
        />
        <RoleChoice
          value={roles}
          onChange={setRoles}
          error={checked && roles.length === 0 ? 'Choose at least one role.' : fields.roles}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={pending}>
            Invite
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
