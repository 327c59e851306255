import { Stack } from '@mantine/core';
import type { HostGroup, HostGroupReference } from '@/api/access';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Loadable } from '@/ui/Loadable';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useGroupAction, useReferences } from './api';

interface DeleteGroupDialogProps {
  group: HostGroup | undefined;
  onClose: () => void;
  onDeleted: (group: HostGroup) => void;
}

/** Asks before a group is deleted, and says what refers to it (host-groups 9). */
export function DeleteGroupDialog({ group, onClose, onDeleted }: DeleteGroupDialogProps) {
  const references = useReferences(group?.id);
  const action = useGroupAction();
  const close = () => {
    action.reset();
    onClose();
  };
  const remove = () =>
    group &&
    action.mutate(
      { kind: 'delete', id: group.id },
      {
        onSuccess: () => {
          close();
          onDeleted(group);
        },
      },
    );
  return (
    <ConfirmDialog
      opened={group !== undefined}
      title="Delete the group?"
      confirmLabel="Delete group"
      danger
      pending={action.isPending || references.isPending}
      error={action.error}
      onConfirm={remove}
      onClose={close}
    >
      <Stack gap="xs">
        <div>
          <bdi>{group?.name}</bdi> goes; its hosts stay. It can be restored for 30 days.
        </div>
        <Loadable
          query={references}
          loading={<TableSkeleton rows={2} />}
          empty={<div>Nothing refers to it.</div>}
          isEmpty={(list) => list.items.length === 0}
        >
          {(list) => <References references={list.items} />}
        </Loadable>
      </Stack>
    </ConfirmDialog>
  );
}

function References({ references }: { references: readonly HostGroupReference[] }) {
  return (
    <>
      <div>These refer to it and lose it:</div>
      <ul style={{ margin: 0, paddingInlineStart: 18 }} aria-label="What refers to the group">
        {references.map((reference) => (
          <li key={`${reference.kind} ${reference.id}`}>
            {KIND[reference.kind]} <bdi>{reference.name}</bdi>
            {reference.blocks_deletion && ', which is limited by this group alone: change it first'}
          </li>
        ))}
      </ul>
    </>
  );
}

const KIND: Record<HostGroupReference['kind'], string> = {
  user: 'Person',
  team: 'Team',
  role: 'Role',
};
