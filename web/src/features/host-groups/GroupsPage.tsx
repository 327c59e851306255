import { Button, Group, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { HostGroup } from '@/api/access';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { formatCount } from '@/ui/format';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { groupsRoute } from '.';
import { GROUPS_PAGE_SIZE, useGroupAction, useGroups } from './api';
import { GroupDialog } from './GroupDialog';
import { parseGroupsSearch } from './search';

const SEARCH_DELAY_MS = 300;

const COUNTS: Column<HostGroup>[] = [
  { id: 'description', header: 'Description', card: 'wide', cell: (group) => group.description },
  {
    id: 'members',
    header: 'Hosts',
    align: 'end',
    cell: (group) => formatCount(group.member_count),
  },
];

const LIVE_COLUMNS: readonly Column<HostGroup>[] = [
  {
    id: 'name',
    header: 'Name',
    card: 'title',
    cell: (group) => (
      <Link to="/host-groups/$groupId" params={{ groupId: group.id }}>
        <bdi>{group.name}</bdi>
      </Link>
    ),
  },
  ...COUNTS,
  { id: 'online', header: 'Online', align: 'end', cell: (group) => formatCount(group.online) },
  { id: 'offline', header: 'Offline', align: 'end', cell: (group) => formatCount(group.offline) },
];

/** Every group of the organisation with its counts; deleted ones on demand. */
export function GroupsPage() {
  const search = groupsRoute.useSearch();
  const navigate = groupsRoute.useNavigate();
  const allowed = useCan('host_groups.read');
  const writes = useCan('host_groups.write');
  const query = useGroups(search, allowed);
  const [creating, setCreating] = useState(false);
  const create = writes && !search.deleted && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      New group
    </Button>
  );
  return (
    <>
      <PageFrame
        title="Host groups"
        description="Named sets of hosts. People and teams can be limited to them."
        actions={create}
        query={query}
        allowed={allowed}
        noPermission="You may not see host groups."
        loading={<TableSkeleton rows={6} />}
        empty={
          <Notice title="No groups yet" action={create}>
            Name a set of hosts once: an environment, a team, a site.
          </Notice>
        }
        isEmpty={(list) => list.total === 0 && !search.search && !search.deleted}
      >
        {(list) => (
          <Panel
            title={search.deleted ? 'Deleted groups' : 'Groups'}
            aside={<Filters writes={writes} />}
            flush
          >
            {list.items.length === 0 && (
              <Notice title={search.deleted ? 'No deleted groups' : 'No group matches'} />
            )}
            {list.items.length > 0 &&
              (search.deleted ? (
                <DeletedGroups rows={list.items} busy={query.isPlaceholderData} />
              ) : (
                <DataTable
                  label="Host groups"
                  columns={LIVE_COLUMNS}
                  rows={list.items}
                  rowKey={(group) => group.id}
                  busy={query.isPlaceholderData}
                />
              ))}
            <Pager
              page={search.page ?? 1}
              pageSize={GROUPS_PAGE_SIZE}
              total={list.total}
              onPage={(page) => navigate({ search: parseGroupsSearch({ ...search, page }) })}
            />
          </Panel>
        )}
      </PageFrame>
      <GroupDialog
        opened={creating}
        onClose={() => setCreating(false)}
        onSaved={(group) =>
          navigate({ to: '/host-groups/$groupId', params: { groupId: group.id } })
        }
      />
    </>
  );
}

function Filters({ writes }: { writes: boolean }) {
  const search = groupsRoute.useSearch();
  const navigate = groupsRoute.useNavigate();
  const [text, type] = useDebouncedText(search.search ?? '', SEARCH_DELAY_MS, (committed) =>
    navigate({ search: parseGroupsSearch({ deleted: search.deleted, search: committed }) }),
  );
  return (
    <Group gap="xs">
      <TextInput
        size="xs"
        type="search"
        aria-label="Search groups"
        placeholder="Name"
        value={text}
        onChange={(event) => type(event.currentTarget.value)}
      />
      {writes && (
        <Button
          size="xs"
          variant="subtle"
          onClick={() => navigate({ search: search.deleted ? {} : { deleted: true } })}
        >
          {search.deleted ? 'Back to the groups' : 'Deleted groups'}
        </Button>
      )}
    </Group>
  );
}

/** Groups that can still be restored; restoring limits nobody to them again. */
function DeletedGroups({ rows, busy }: { rows: readonly HostGroup[]; busy: boolean }) {
  const action = useGroupAction();
  const restore = action.mutate;
  const columns = useMemo<Column<HostGroup>[]>(
    () => [
      { id: 'name', header: 'Name', card: 'title', cell: (group) => <bdi>{group.name}</bdi> },
      ...COUNTS,
      {
        id: 'deleted',
        header: 'Deleted',
        cell: (group) => <TimeAgo at={group.deleted_at} />,
      },
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (group) => (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Restore ${group.name}`}
            onClick={() => restore({ kind: 'restore', id: group.id })}
          >
            Restore
          </Button>
        ),
      },
    ],
    [restore],
  );
  return (
    <>
      {action.isError && <Banner tone="bad">{errorText(action.error)}</Banner>}
      <DataTable
        label="Deleted groups"
        columns={columns}
        rows={rows}
        rowKey={(group) => group.id}
        busy={busy}
      />
    </>
  );
}
