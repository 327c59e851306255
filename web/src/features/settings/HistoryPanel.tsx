import { Button, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import type { SettingsPage, SettingsPastSave } from '@/api/settings';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { useHistory, useRestore } from './api';
import { shownValue } from './values';

/** Who changed what on a page; one version can be brought back. */
export function HistoryPanel({ page }: { page: SettingsPage }) {
  const [opened, setOpened] = useState(false);
  const [restoring, setRestoring] = useState<SettingsPastSave>();
  const query = useHistory(page.name, opened);
  const restore = useRestore(page.name);
  const close = () => {
    setRestoring(undefined);
    restore.reset();
  };
  const confirm = () =>
    restoring &&
    restore.mutate(restoring.version, {
      onSuccess: () => {
        close();
        notifications.show({ message: `Version ${restoring.version} is back` });
      },
    });
  const rows = query.data?.pages.flatMap((part) => part.items) ?? [];
  return (
    <Panel
      title="History"
      flush={opened}
      aside={
        <Button
          variant="default"
          size="xs"
          aria-expanded={opened}
          onClick={() => setOpened(!opened)}
        >
          {opened ? 'Hide' : 'Show'}
        </Button>
      }
    >
      {opened && (
        <Loadable
          query={query}
          loading={<Skeleton height={80} />}
          empty={<Notice title="This page was never changed" />}
          isEmpty={() => rows.length === 0}
        >
          {() => (
            <DataTable
              label="History"
              columns={columns(page, setRestoring)}
              rows={rows}
              rowKey={(row) => String(row.version)}
            />
          )}
        </Loadable>
      )}
      {opened && query.hasNextPage && (
        <Button
          variant="subtle"
          loading={query.isFetchingNextPage}
          onClick={() => query.fetchNextPage()}
        >
          Show more
        </Button>
      )}
      <ConfirmDialog
        opened={restoring !== undefined}
        title={`Restore version ${restoring?.version}?`}
        confirmLabel="Restore"
        pending={restore.isPending}
        error={restore.error}
        onConfirm={confirm}
        onClose={close}
      >
        The values of that version are saved as a new one. Secrets stay as they are.
      </ConfirmDialog>
    </Panel>
  );
}

function columns(
  page: SettingsPage,
  onRestore: (save: SettingsPastSave) => void,
): Column<SettingsPastSave>[] {
  const title = (name: string) => page.keys.find((key) => key.name === name)?.title ?? name;
  return [
    { id: 'version', header: 'Version', width: '80px', card: 'title', cell: (row) => row.version },
    { id: 'at', header: 'When', cell: (row) => <TimeAgo at={row.at} /> },
    { id: 'by', header: 'Who', cell: (row) => <bdi>{row.by?.name ?? 'somebody who left'}</bdi> },
    {
      id: 'what',
      header: 'What',
      card: 'wide',
      cell: (row) => (
        <>
          {row.changes.map((change) => (
            <div key={change.key}>
              {title(change.key)}: <bdi>{shownValue(change.before)}</bdi> →{' '}
              <bdi>{shownValue(change.after)}</bdi>
            </div>
          ))}
          {row.secrets.map((name) => (
            <div key={name}>{title(name)}: set or cleared</div>
          ))}
        </>
      ),
    },
    {
      id: 'restore',
      header: 'Action',
      align: 'end',
      card: 'corner',
      cell: (row) =>
        row.version === page.version || !page.writable ? null : (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Restore version ${row.version}`}
            onClick={() => onRestore(row)}
          >
            Restore
          </Button>
        ),
    },
  ];
}
