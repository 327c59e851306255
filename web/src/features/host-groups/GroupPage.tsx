import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Pencil, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { HostGroup } from '@/api/access';
import { isProblem } from '@/api/problem';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { groupRoute } from '.';
import { AddHostsDialog } from './AddHostsDialog';
import { useGroup } from './api';
import { DeleteGroupDialog } from './DeleteGroupDialog';
import { GroupDialog } from './GroupDialog';
import { MembersPanel } from './MembersPanel';
import { hostCount } from './words';

type Open = 'change' | 'delete' | 'add';

/** One group and its hosts. */
export function GroupPage() {
  const { groupId } = groupRoute.useParams();
  const navigate = groupRoute.useNavigate();
  const allowed = useCan('host_groups.read');
  const writes = useCan('host_groups.write');
  const query = useGroup(groupId, allowed);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  if (!query.data && isProblem(query.error, 'not_found')) {
    return (
      <Notice
        title="This group does not exist"
        action={<Link to="/host-groups">Go to host groups</Link>}
      >
        It may have been deleted.
      </Notice>
    );
  }
  const group = query.data;
  return (
    <>
      <PageFrame
        title={group?.name ?? 'Host group'}
        heading={group && <bdi>{group.name}</bdi>}
        description={group && <Description group={group} />}
        actions={group && writes && <Actions onOpen={setOpen} />}
        query={query}
        allowed={allowed}
        noPermission="You may not see host groups."
        loading={<TableSkeleton rows={6} />}
        empty={null}
        isEmpty={() => false}
      >
        {(found) => (
          <>
            {found.description && <Panel title="About">{found.description}</Panel>}
            <MembersPanel group={found} writes={writes} />
          </>
        )}
      </PageFrame>
      {group && (
        <>
          <GroupDialog opened={open === 'change'} group={group} onClose={close} />
          <AddHostsDialog opened={open === 'add'} group={group} onClose={close} />
          <DeleteGroupDialog
            group={open === 'delete' ? group : undefined}
            onClose={close}
            onDeleted={() => navigate({ to: '/host-groups', search: {} })}
          />
        </>
      )}
    </>
  );
}

function Description({ group }: { group: HostGroup }) {
  return `${hostCount(group.member_count)}, ${group.online} online, ${group.offline} offline`;
}

function Actions({ onOpen }: { onOpen: (open: Open) => void }) {
  return (
    <Group gap="xs">
      <Button
        leftSection={<Plus size={16} aria-hidden="true" />}
        variant="default"
        onClick={() => onOpen('add')}
      >
        Add hosts
      </Button>
      <Button
        leftSection={<Pencil size={16} aria-hidden="true" />}
        variant="default"
        onClick={() => onOpen('change')}
      >
        Change
      </Button>
      <Button
        leftSection={<Trash2 size={16} aria-hidden="true" />}
        variant="default"
        color="danger"
        onClick={() => onOpen('delete')}
      >
        Delete
      </Button>
    </Group>
  );
}
