import { Stack } from '@mantine/core';
import type { CustomRole, CustomRoleRequest } from '@/api/access';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { useAssignments, useSelected } from './api';
import { difference } from './catalogue';
import { hosts } from './words';

interface ImpactDialogProps {
  /** What is to be saved; nothing while nobody asked to. */
  draft: CustomRoleRequest | undefined;
  existing: CustomRole | undefined;
  pending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/** What saving would do: permissions, hosts and people before and after (users-teams-rbac 21). */
export function ImpactDialog(props: ImpactDialogProps) {
  const { draft, existing, pending, error, onConfirm, onClose } = props;
  return (
    <ConfirmDialog
      opened={draft !== undefined}
      title={existing ? 'Change the role?' : 'Make the role?'}
      confirmLabel={existing ? 'Change role' : 'Make role'}
      pending={pending}
      error={error}
      onConfirm={onConfirm}
      onClose={onClose}
    >
      {draft && <Impact draft={draft} existing={existing} />}
    </ConfirmDialog>
  );
}

function Impact({
  draft,
  existing,
}: Pick<ImpactDialogProps, 'existing'> & { draft: CustomRoleRequest }) {
  const { added, removed } = difference(existing?.permissions ?? [], draft.permissions);
  const after = useSelected(draft.selector, true).data?.hosts;
  const before = useSelected(existing?.selector ?? [], existing !== undefined).data?.hosts;
  return (
    <Stack gap="xs">
      {added.length > 0 && <div>Gives: {added.join(', ')}.</div>}
      {removed.length > 0 && <div>Takes away: {removed.join(', ')}.</div>}
      {added.length + removed.length === 0 && <div>The permissions stay as they are.</div>}
      {after !== undefined && <div>{hostsText(existing ? before : undefined, after)}</div>}
      {existing && <Holders roleId={existing.id} />}
    </Stack>
  );
}

export function hostsText(before: number | undefined, after: number): string {
  return before === undefined || before === after
    ? `Reaches ${hosts(after)}.`
    : `Reaches ${hosts(after)} instead of ${hosts(before)}.`;
}

function Holders({ roleId }: { roleId: string }) {
  const holders = useAssignments(roleId, true).data?.items;
  if (!holders) {
    return null;
  }
  const names = holders.map((holder) => holder.subject_name);
  return (
    <div>
      {names.length === 0
        ? 'Nobody holds it yet.'
        : `Changes with the next request what ${names.join(', ')} may do.`}
    </div>
  );
}
