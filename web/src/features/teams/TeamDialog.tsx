import { Button, Group, Modal, Stack, Switch } from '@mantine/core';
import { useState } from 'react';
import { isProblem } from '@/api/problem';
import type { TeamDetail } from '@/api/schema';
import { GroupPicker } from '@/features/host-groups';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { type TeamAction, useTeam, useTeamAction } from './api';
import { MembersSection } from './MembersSection';

interface TeamDialogProps {
  id: string;
  manages: boolean;
  onClose: () => void;
}

/** One team: members, host groups, scoping. */
export function TeamDialog({ id, manages, onClose }: TeamDialogProps) {
  const query = useTeam(id);
  return (
    <Modal opened onClose={onClose} title={query.data?.name ?? 'Team'} size="lg">
      <Loadable
        query={query}
        loading={<TableSkeleton rows={3} />}
        empty={<Notice title="This team is gone" />}
        isEmpty={() => false}
      >
        {(team) => <TeamView team={team} manages={manages} onClose={onClose} />}
      </Loadable>
    </Modal>
  );
}

/** Everything about a team. What would let somebody see more is asked for once more. */
function TeamView({ team, manages, onClose }: { team: TeamDetail } & Omit<TeamDialogProps, 'id'>) {
  const action = useTeamAction();
  const [deleting, setDeleting] = useState(false);
  const run = (wanted: TeamAction) =>
    action.mutate(wanted, {
      onSuccess: () => {
        if (wanted.kind === 'delete') {
          onClose();
        }
      },
    });
  const widening = isProblem(action.error, 'scope_widens') ? action.variables : undefined;
  return (
    <Stack gap="md">
      {team.description && <div>{team.description}</div>}
      {action.isError && !widening && <Banner tone="bad">{errorText(action.error)}</Banner>}
      <Switch
        label="Limits what members see"
        description="Engineers and readers see its host groups, beside those given to them."
        checked={team.scoping}
        disabled={!manages}
        onChange={(event) =>
          run({
            kind: 'change',
            id: team.id,
            confirmed: false,
            patch: { scoping: event.currentTarget.checked },
          })
        }
      />
      <HostGroups team={team} manages={manages} onAction={run} />
      <MembersSection team={team} manages={manages} onAction={run} />
      {manages && (
        <Group justify="flex-end">
          <Button variant="default" color="danger" onClick={() => setDeleting(true)}>
            Delete team
          </Button>
        </Group>
      )}
      <ConfirmDialog
        opened={deleting}
        title="Delete the team?"
        confirmLabel="Delete team"
        danger
        pending={action.isPending}
        error={undefined}
        onConfirm={() => {
          setDeleting(false);
          run({ kind: 'delete', id: team.id, confirmed: false });
        }}
        onClose={() => setDeleting(false)}
      >
        Its members and host groups stay.
      </ConfirmDialog>
      <ConfirmDialog
        opened={widening !== undefined}
        title="Let people see more?"
        confirmLabel="Go on"
        danger
        pending={action.isPending}
        error={undefined}
        onConfirm={() => widening && run({ ...widening, confirmed: true })}
        onClose={action.reset}
      >
        {errorText(action.error)}
      </ConfirmDialog>
    </Stack>
  );
}

interface SectionProps {
  team: TeamDetail;
  manages: boolean;
  onAction: (action: TeamAction) => void;
}

function HostGroups({ team, manages, onAction }: SectionProps) {
  return (
    <GroupPicker
      label="Host groups"
      disabled={!manages}
      known={team.host_groups}
      value={team.host_groups.map((group) => group.id)}
      onChange={(groupIds) => onAction({ kind: 'groups', id: team.id, confirmed: false, groupIds })}
    />
  );
}
