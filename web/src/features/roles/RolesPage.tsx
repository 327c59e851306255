import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import type { CustomRole } from '@/api/access';
import { TIER_NAMES, useLocked } from '@/api/features';
import { useCan } from '@/api/session';
import { UpgradeRequired } from '@/features/licence';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useRoles } from './api';
import { roleLabel, selectorText } from './words';

const COLUMNS: readonly Column<CustomRole>[] = [
  {
    id: 'name',
    header: 'Name',
    card: 'title',
    cell: (role) => (
      <Link to="/settings/roles/$roleId" params={{ roleId: role.id }}>
        <bdi>{role.name}</bdi>
      </Link>
    ),
  },
  {
    id: 'base',
    header: 'Made from',
    cell: (role) => (role.base === null ? '–' : roleLabel(role.base)),
  },
  {
    id: 'permissions',
    header: 'Permissions',
    align: 'end',
    cell: (role) => role.permissions.length,
  },
  { id: 'hosts', header: 'Hosts', cell: (role) => selectorText(role.selector) },
  { id: 'given', header: 'Given to', align: 'end', cell: (role) => role.assignment_count },
  { id: 'changed', header: 'Changed', cell: (role) => <TimeAgo at={role.updated_at} /> },
];

/** Custom roles of the organisation. */
export function RolesPage() {
  const allowed = useCan('rbac.manage');
  const locked = useLocked('advancedRbac');
  const query = useRoles(allowed);
  const create = locked === undefined && (
    <Button
      component={Link}
      to="/settings/roles/new"
      leftSection={<Plus size={16} aria-hidden="true" />}
    >
      New role
    </Button>
  );
  return (
    <PageFrame
      title="Roles"
      description="Roles of your own: permissions of the catalogue, on the hosts you select."
      actions={create}
      query={query}
      allowed={allowed}
      noPermission="Only administrators may see and change roles."
      loading={<TableSkeleton rows={4} />}
      empty={
        locked === undefined ? (
          <Notice title="No custom roles yet" action={create}>
            The built-in roles are enough for many. Rights add up; no role takes anything away.
          </Notice>
        ) : (
          <UpgradeRequired tier={locked} what="Making roles of your own" />
        )
      }
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => (
        <>
          {locked !== undefined && (
            <Banner>
              Custom roles are part of {TIER_NAMES[locked]}. These keep working as they are and
              cannot be changed.
            </Banner>
          )}
          <Panel title="Custom roles" flush>
            <DataTable
              label="Custom roles"
              columns={COLUMNS}
              rows={list.items}
              rowKey={(role) => role.id}
            />
          </Panel>
        </>
      )}
    </PageFrame>
  );
}
