import { Button } from '@mantine/core';
import { Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { Team } from '@/api/schema';
import { useCan } from '@/api/session';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useTeams } from './api';
import { CreateTeamDialog } from './CreateTeamDialog';
import { TeamDialog } from './TeamDialog';

const COLUMNS: Column<Team>[] = [
  { id: 'name', header: 'Name', card: 'title', cell: (team) => <bdi>{team.name}</bdi> },
  {
    id: 'scoping',
    header: 'Scope',
    card: 'corner',
    cell: (team) =>
      team.scoping ? <StatusBadge tone="warn" label="Limits what members see" /> : 'No limit',
  },
  { id: 'lead', header: 'Lead', cell: (team) => <bdi>{team.lead?.name ?? '–'}</bdi> },
  { id: 'members', header: 'Members', align: 'end', cell: (team) => team.member_count },
  { id: 'groups', header: 'Host groups', align: 'end', cell: (team) => team.host_group_count },
];

/** Teams of the organisation. */
export function TeamsPage() {
  const allowed = useCan('teams.read');
  const manages = useCan('teams.manage');
  const query = useTeams(allowed);
  const [creating, setCreating] = useState(false);
  const [openId, setOpenId] = useState<string>();
  const columns = useMemo<Column<Team>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (team) => (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Open ${team.name}`}
            onClick={() => setOpenId(team.id)}
          >
            Open
          </Button>
        ),
      },
    ],
    [],
  );
  const create = manages && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      Create team
    </Button>
  );
  return (
    <>
      <PageFrame
        title="Teams"
        description="People who look after something together, and the host groups they own."
        actions={create}
        query={query}
        allowed={allowed}
        noPermission="You may not see teams."
        loading={<TableSkeleton rows={4} />}
        empty={
          <Notice title="No teams yet" action={create}>
            A team owns host groups. A scoping team limits its members to them.
          </Notice>
        }
        isEmpty={(list) => list.total === 0}
      >
        {(list) => (
          <Panel title="Teams" flush hideTitle>
            <DataTable
              label="Teams"
              columns={columns}
              rows={list.items}
              rowKey={(team) => team.id}
            />
          </Panel>
        )}
      </PageFrame>
      <CreateTeamDialog
        opened={creating}
        onClose={() => setCreating(false)}
        onCreated={setOpenId}
      />
      {openId !== undefined && (
        <TeamDialog id={openId} manages={manages} onClose={() => setOpenId(undefined)} />
      )}
    </>
  );
}
