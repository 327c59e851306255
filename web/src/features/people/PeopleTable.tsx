import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { User } from '@/api/schema';
import { type Column, DataTable } from '@/ui/DataTable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { roleList, STATE_LABEL, STATE_TONE } from './words';

interface PeopleTableProps {
  rows: readonly User[];
  busy: boolean;
  onOpen: (user: User) => void;
}

const COLUMNS: Column<User>[] = [
  {
    id: 'name',
    header: 'Name',
    card: 'title',
    cell: (user) => (
      <Link to="/settings/people/$userId" params={{ userId: user.id }}>
        <bdi>{user.name}</bdi>
      </Link>
    ),
  },
  { id: 'email', header: 'Email', card: 'wide', cell: (user) => <bdi>{user.email}</bdi> },
  { id: 'roles', header: 'Roles', cell: (user) => roleList(user.roles) || 'None' },
  {
    id: 'teams',
    header: 'Teams',
    cell: (user) => user.teams.map((team) => team.name).join(', ') || '–',
  },
  {
    id: 'state',
    header: 'State',
    card: 'corner',
    cell: (user) => <StatusBadge tone={STATE_TONE[user.state]} label={STATE_LABEL[user.state]} />,
  },
  {
    id: 'seen',
    header: 'Last seen',
    cell: (user) => <TimeAgo at={user.last_seen_at} missing="not signed in" />,
  },
];

export function PeopleTable({ rows, busy, onOpen }: PeopleTableProps) {
  const columns = useMemo<Column<User>[]>(
    () => [
      ...COLUMNS,
      {
        id: 'actions',
        header: 'Actions',
        align: 'end',
        card: 'actions',
        cell: (user) => (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Open ${user.name}`}
            onClick={() => onOpen(user)}
          >
            Open
          </Button>
        ),
      },
    ],
    [onOpen],
  );
  return (
    <DataTable
      label="People"
      columns={columns}
      rows={rows}
      rowKey={(user) => user.id}
      busy={busy}
    />
  );
}
