import { Button, Group, Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useGroupsOfHost, useMemberChange } from './api';
import { GroupPicker } from './GroupPicker';

/** The groups a host is in, edited from its page (host-groups 3). */
export function HostGroupsPanel({ hostId }: { hostId: string }) {
  const reads = useCan('host_groups.read');
  const writes = useCan('host_groups.write');
  const query = useGroupsOfHost(hostId, reads);
  const change = useMemberChange();
  const [wanted, setWanted] = useState<string[]>([]);
  const add = async () => {
    for (const groupId of wanted) {
      await change.mutateAsync({ groupId, hostIds: [hostId], adds: true });
    }
    setWanted([]);
  };
  if (!reads) {
    return null;
  }
  return (
    <Panel title="Host groups">
      <Stack gap="md">
        {change.isError && <Banner tone="bad">{errorText(change.error)}</Banner>}
        <Loadable
          query={query}
          loading={<TableSkeleton rows={2} />}
          empty={<Notice title="In no group" />}
          isEmpty={(list) => list.items.length === 0}
        >
          {(list) =>
            list.items.map((group) => (
              <Group key={group.id} justify="space-between">
                <Link to="/host-groups/$groupId" params={{ groupId: group.id }}>
                  <bdi>{group.name}</bdi>
                </Link>
                {writes && (
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={`Take out of ${group.name}`}
                    onClick={() =>
                      change.mutate({ groupId: group.id, hostIds: [hostId], adds: false })
                    }
                  >
                    Take out
                  </Button>
                )}
              </Group>
            ))
          }
        </Loadable>
        {writes && (
          <Group align="flex-end" gap="xs">
            <div style={{ flex: '1 1 220px' }}>
              <GroupPicker label="Add to groups" value={wanted} onChange={setWanted} />
            </div>
            <Button
              variant="default"
              disabled={wanted.length === 0}
              loading={change.isPending}
              onClick={() => add().catch(() => undefined)}
            >
              Add
            </Button>
          </Group>
        )}
      </Stack>
    </Panel>
  );
}
