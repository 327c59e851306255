import { Button, Group, Stack } from '@mantine/core';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { useDeletedOrganisations, useRestoreOrganisation } from './api';

/** Organisations deleted in the last 30 days, to be restored; nothing when there are none. */
export function DeletedOrganisations() {
  const query = useDeletedOrganisations();
  const restore = useRestoreOrganisation();
  const deleted = query.data?.items ?? [];
  if (query.isError) {
    return <Banner tone="bad">{errorText(query.error)}</Banner>;
  }
  if (deleted.length === 0) {
    return restore.isSuccess ? (
      <Banner tone="info">Restored. Choose it in the navigation to act in it.</Banner>
    ) : null;
  }
  return (
    <Panel title="Deleted organisations">
      <Stack gap="xs">
        {restore.isError && <Banner tone="bad">{errorText(restore.error)}</Banner>}
        {deleted.map((organisation) => (
          <Group key={organisation.id} justify="space-between">
            <span>
              <bdi>{organisation.name}</bdi>, deleted <TimeAgo at={organisation.deleted_at} />
            </span>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Restore ${organisation.name}`}
              loading={restore.isPending && restore.variables === organisation.id}
              onClick={() => restore.mutate(organisation.id)}
            >
              Restore
            </Button>
          </Group>
        ))}
      </Stack>
    </Panel>
  );
}
