import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { isProblem } from '@/api/problem';
import type { Role, User } from '@/api/schema';
import { useCan, useMe } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { errorText } from '@/ui/Notice';
import { useUserAction } from './api';
import { MemberHistory } from './MemberHistory';
import { RoleChoice } from './RoleChoice';
import { roleList } from './words';

interface MemberDialogProps {
  user: User | undefined;
  onClose: () => void;
}

/** One person: roles, state, history. */
export function MemberDialog({ user, onClose }: MemberDialogProps) {
  return (
    <Modal opened={user !== undefined} onClose={onClose} title={user?.name} size="lg">
      {user && <Member key={user.id} user={user} onDone={onClose} />}
    </Modal>
  );
}

/** Why this viewer cannot change this person; nothing when they can. */
function obstacle(user: User, own: { id?: string; roles: readonly string[] }, may: boolean) {
  if (!may) {
    return 'You may look at people, not change them.';
  }
  if (user.id === own.id) {
    return 'Nobody changes their own roles or state. Ask another administrator.';
  }
  if (user.roles.includes('super_admin') && !own.roles.includes('super_admin')) {
    return 'Only a super admin changes a super admin.';
  }
  return undefined;
}

function Member({ user, onDone }: { user: User; onDone: () => void }) {
  return (
    <Stack gap="md">
      <div>
        <bdi>{user.email}</bdi>
        {!user.email_verified && ' (not verified)'}
        {' · '}
        <Link to="/settings/people/$userId" params={{ userId: user.id }} onClick={onDone}>
          Hosts, sessions and sign-in
        </Link>
      </div>
      <RolesAndState user={user} onDone={onDone} />
      <MemberHistory userId={user.id} />
    </Stack>
  );
}

interface RolesAndStateProps {
  user: User;
  onDone: () => void;
}

/** What somebody may do and whether they may at all, to be changed by those who may. */
export function RolesAndState({ user, onDone }: RolesAndStateProps) {
  const me = useMe();
  const may = useCan('users.manage');
  const refused = obstacle(user, { id: me?.user.id, roles: me?.roles ?? [] }, may);
  return (
    <Stack gap="md">
      {user.roles_from === 'provider' && (
        <Banner tone="info">
          The groups of a directory decide these roles at every sign-in. Roles chosen here stay.
        </Banner>
      )}
      {refused ? (
        <>
          <div>Roles: {roleList(user.roles) || 'none'}</div>
          <Banner tone="info">{refused}</Banner>
        </>
      ) : (
        <Changes user={user} onDone={onDone} />
      )}
    </Stack>
  );
}

function Changes({ user, onDone }: { user: User; onDone: () => void }) {
  const action = useUserAction();
  const [roles, setRoles] = useState<Role[]>(user.roles);
  const [reason, setReason] = useState('');
  const [removing, setRemoving] = useState(false);
  const change = (state?: 'active' | 'deactivated') =>
    action.mutate(
      { kind: 'change', id: user.id, patch: { roles, state, reason } },
      { onSuccess: onDone },
    );
  const fields = isProblem(action.error) ? action.error.fieldMessages() : {};
  if (user.state === 'removed') {
    return (
      <>
        {action.isError && <Banner tone="bad">{errorText(action.error)}</Banner>}
        <Button
          loading={action.isPending}
          onClick={() => action.mutate({ kind: 'restore', id: user.id }, { onSuccess: onDone })}
        >
          Restore
        </Button>
      </>
    );
  }
  return (
    <Stack gap="md">
      <RoleChoice value={roles} onChange={setRoles} error={fields.roles} />
      <TextInput
        label="Reason"
        description="Kept in the history."
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      {action.isError && !removing && <Banner tone="bad">{errorText(action.error)}</Banner>}
      <Group gap="xs" justify="flex-end">
        <Button variant="default" color="danger" onClick={() => setRemoving(true)}>
          {user.state === 'pending' ? 'Refuse' : 'Remove'}
        </Button>
        {user.state === 'active' && (
          <Button variant="default" onClick={() => change('deactivated')}>
            Deactivate
          </Button>
        )}
        <Button
          disabled={roles.length === 0}
          loading={action.isPending}
          onClick={() => change(user.state === 'active' ? undefined : 'active')}
        >
          {SAVE_LABEL[user.state]}
        </Button>
      </Group>
      <ConfirmDialog
        opened={removing}
        title="Remove from the organisation?"
        confirmLabel="Remove"
        danger
        pending={action.isPending}
        error={action.error}
        onConfirm={() => action.mutate({ kind: 'remove', id: user.id }, { onSuccess: onDone })}
        onClose={() => setRemoving(false)}
      >
        <bdi>{user.name}</bdi> is signed out at once and loses every right. The history stays, and
        they can be restored.
      </ConfirmDialog>
    </Stack>
  );
}

const SAVE_LABEL = {
  pending: 'Approve',
  active: 'Save',
  deactivated: 'Activate',
  removed: 'Restore',
} as const;
