import { Button, Group, Modal, MultiSelect, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { Invited, InviteRequest, Role } from '@/api/schema';
import { useCan } from '@/api/session';
import { GroupPicker } from '@/features/host-groups';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { errorText } from '@/ui/Notice';
import { useInvite, useTeamChoice } from './api';
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
          onSubmit={(request) => invite.mutate(request)}
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
  onSubmit: (request: InviteRequest) => void;
  onCancel: () => void;
}

function InviteForm({ pending, error, onSubmit, onCancel }: InviteFormProps) {
  const [email, setEmail] = useState('');
  const [roles, setRoles] = useState<Role[]>(['read_only']);
  const [teams, setTeams] = useState<string[]>([]);
  const [groups, setGroups] = useState<string[]>([]);
  const [checked, setChecked] = useState(false);
  const limits = useCan('host_scopes.manage') && !administers(roles);
  const fields = isProblem(error) ? error.fieldMessages() : {};
  const plausible = /^\S+@\S+$/.test(email.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (plausible && roles.length > 0) {
      onSubmit({
        email: email.trim(),
        roles,
        ...(teams.length > 0 && { team_ids: teams }),
        ...(limits && groups.length > 0 && { host_group_ids: groups }),
      });
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
        <TeamChoice value={teams} onChange={setTeams} error={fields.team_ids} />
        {limits && (
          <GroupPicker
            label="Limited to host groups"
            description="None means the whole organisation."
            value={groups}
            onChange={setGroups}
            error={fields.host_group_ids}
          />
        )}
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

/** Administrators are never limited to groups (host-groups 19). */
function administers(roles: readonly Role[]): boolean {
  return roles.includes('org_admin') || roles.includes('super_admin');
}

interface TeamChoiceProps {
  value: string[];
  onChange: (teamIds: string[]) => void;
  error?: string;
}

function TeamChoice({ value, onChange, error }: TeamChoiceProps) {
  const allowed = useCan('teams.read');
  const teams = useTeamChoice(allowed).data?.items ?? [];
  if (teams.length === 0) {
    return null;
  }
  return (
    <MultiSelect
      label="Teams"
      placeholder={value.length === 0 ? 'None' : undefined}
      searchable
      data={teams.map((team) => ({ value: team.id, label: team.name }))}
      value={value}
      onChange={onChange}
      error={error}
    />
  );
}
