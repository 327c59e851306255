import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { CustomRole, PermissionInfo } from '@/api/access';
import { TIER_NAMES, useLocked } from '@/api/features';
import { isProblem } from '@/api/problem';
import { useCan } from '@/api/session';
import { UpgradeRequired } from '@/features/licence';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { newRoleRoute, roleRoute } from '.';
import { AssignmentsPanel } from './AssignmentsPanel';
import { useCatalogue, useDeleteRole, useRole } from './api';
import { RoleEditor } from './RoleEditor';

const NO_PERMISSION = 'Only administrators may see and change roles.';

/** Where a new role is made. */
export function NewRolePage() {
  const navigate = newRoleRoute.useNavigate();
  const allowed = useCan('rbac.manage');
  const locked = useLocked('advancedRbac');
  const query = useCatalogue(allowed);
  return (
    <PageFrame
      title="New role"
      query={query}
      allowed={allowed}
      noPermission={NO_PERMISSION}
      loading={<TableSkeleton rows={8} />}
      empty={null}
      isEmpty={() => false}
    >
      {(catalogue) =>
        locked === undefined ? (
          <RoleEditor
            catalogue={catalogue.items}
            existing={undefined}
            disabled={false}
            onSaved={(role) =>
              navigate({ to: '/settings/roles/$roleId', params: { roleId: role.id } })
            }
          />
        ) : (
          <UpgradeRequired tier={locked} what="Making roles of your own" />
        )
      }
    </PageFrame>
  );
}

/** One custom role: what it gives, where, and to whom. */
export function RolePage() {
  const { roleId } = roleRoute.useParams();
  const allowed = useCan('rbac.manage');
  const catalogue = useCatalogue(allowed).data?.items;
  const query = useRole(roleId, allowed);
  if (!query.data && isProblem(query.error, 'not_found')) {
    return (
      <Notice
        title="This role does not exist"
        action={<Link to="/settings/roles">Go to roles</Link>}
      >
        It may have been deleted.
      </Notice>
    );
  }
  return (
    <PageFrame
      title={query.data?.name ?? 'Role'}
      heading={query.data && <bdi>{query.data.name}</bdi>}
      description={<Link to="/settings/roles">All roles</Link>}
      query={query}
      allowed={allowed}
      noPermission={NO_PERMISSION}
      loading={<TableSkeleton rows={8} />}
      empty={null}
      isEmpty={() => false}
    >
      {(role) => catalogue && <Role role={role} catalogue={catalogue} />}
    </PageFrame>
  );
}

function Role({ role, catalogue }: { role: CustomRole; catalogue: readonly PermissionInfo[] }) {
  const locked = useLocked('advancedRbac');
  return (
    <>
      {locked !== undefined && (
        <Banner>
          Custom roles are part of {TIER_NAMES[locked]}. This one keeps working as it is and cannot
          be changed.
        </Banner>
      )}
      <AssignmentsPanel roleId={role.id} disabled={locked !== undefined} />
      <RoleEditor
        // Another version is another form: nothing of the old one may be left in it.
        key={role.version}
        catalogue={catalogue}
        existing={role}
        disabled={locked !== undefined}
        onSaved={() => undefined}
      />
      {locked === undefined && <DeleteRole role={role} />}
    </>
  );
}

function DeleteRole({ role }: { role: CustomRole }) {
  const navigate = roleRoute.useNavigate();
  const remove = useDeleteRole();
  const [asking, setAsking] = useState(false);
  return (
    <Panel title="Delete">
      <Group justify="space-between">
        <div>A role that somebody holds cannot be deleted; take it away first.</div>
        <Button variant="default" color="danger" onClick={() => setAsking(true)}>
          Delete role
        </Button>
      </Group>
      <ConfirmDialog
        opened={asking}
        title="Delete the role?"
        confirmLabel="Delete"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() =>
          remove.mutate(role.id, { onSuccess: () => navigate({ to: '/settings/roles' }) })
        }
        onClose={() => {
          remove.reset();
          setAsking(false);
        }}
      >
        <bdi>{role.name}</bdi> is gone for good.
      </ConfirmDialog>
    </Panel>
  );
}
