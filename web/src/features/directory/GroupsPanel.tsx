import { Button, Checkbox, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { DirectoryGroups } from '@/api/directory';
import { Copyable } from '@/ui/Copyable';
import { type Column, DataTable } from '@/ui/DataTable';
import { ErrorNotice, Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { useCopy } from '@/ui/useCopy';
import { useNestedGroups } from './api';

type Group = DirectoryGroups['items'][number];

const COLUMNS: Column<Group>[] = [
  {
    id: 'name',
    header: 'Group',
    card: 'title',
    cell: (group) => <bdi>{group.name}</bdi>,
  },
  {
    id: 'how',
    header: 'Member',
    cell: (group) =>
      group.primary ? 'primary group' : group.nested ? 'through a group' : 'directly',
  },
  {
    id: 'dn',
    header: 'DN',
    cell: (group) => <Copyable text={group.dn} label={`DN of ${group.name}`} />,
  },
];

interface GroupsPanelProps {
  directory: string;
  dn: string;
  direct: DirectoryGroups;
}

/** Groups of a record; groups of groups on demand. */
export function GroupsPanel({ directory, dn, direct }: GroupsPanelProps) {
  const [nested, setNested] = useState(false);
  const [filter, setFilter] = useState('');
  const query = useNestedGroups(directory, dn, nested);
  const groups = (nested && query.data) || direct;
  const wanted = filter.trim().toLowerCase();
  const shown = groups.items.filter((group) => group.dn.toLowerCase().includes(wanted));
  const [copied, copyAll] = useCopy(shown.map((group) => group.dn).join('\n'));
  return (
    <Panel
      title={`Groups (${groups.items.length}${groups.more ? '+' : ''})`}
      aside={
        <Button size="compact-xs" variant="default" disabled={shown.length === 0} onClick={copyAll}>
          {copied === 'copied' ? 'Copied' : 'Copy all'}
        </Button>
      }
    >
      <Stack gap="sm">
        <TextInput
          label="Filter groups"
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
        <Checkbox
          label="Groups of groups as well"
          checked={nested}
          onChange={(event) => setNested(event.currentTarget.checked)}
        />
        {nested && query.isError && (
          <ErrorNotice error={query.error} onRetry={() => query.refetch()} />
        )}
        {shown.length === 0 ? (
          <Notice title={groups.items.length === 0 ? 'In no group' : 'No group matches'} />
        ) : (
          <DataTable label="Groups" columns={COLUMNS} rows={shown} rowKey={(group) => group.dn} />
        )}
      </Stack>
    </Panel>
  );
}
