import { Button, FileInput, Group, Modal, Stack } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import type { SettingsChange } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText, Notice } from '@/ui/Notice';
import { useImport } from './api';
import { shownValue } from './values';

const COLUMNS: Column<SettingsChange>[] = [
  { id: 'page', header: 'Page', cell: (row) => row.page },
  { id: 'key', header: 'Key', card: 'title', cell: (row) => row.key },
  { id: 'before', header: 'Now', cell: (row) => <bdi>{shownValue(row.before)}</bdi> },
  { id: 'after', header: 'Then', cell: (row) => <bdi>{shownValue(row.after)}</bdi> },
];

/** Takes an export over: first what would change, then the change. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const [document, setDocument] = useState<unknown>();
  const [unreadable, setUnreadable] = useState(false);
  const look = useImport();
  const apply = useImport();
  const choose = async (file: File | null) => {
    look.reset();
    apply.reset();
    setDocument(undefined);
    setUnreadable(false);
    if (!file) {
      return;
    }
    try {
      const read: unknown = JSON.parse(await file.text());
      setDocument(read);
      look.mutate({ document: read, dry_run: true });
    } catch {
      setUnreadable(true);
    }
  };
  const takeOver = () =>
    apply.mutate(
      { document, dry_run: false },
      {
        onSuccess: () => {
          notifications.show({ message: 'Settings taken over' });
          onClose();
        },
      },
    );
  const found = look.data;
  const error = look.error ?? apply.error;
  const usable = found !== undefined && found.faults.length === 0 && found.changes.length > 0;
  return (
    <Modal opened onClose={onClose} title="Import settings" size="xl">
      <Stack gap="md">
        <FileInput
          label="File"
          description="An export of another installation. It holds no secrets."
          accept="application/json,.json"
          onChange={choose}
        />
        {unreadable && <Banner tone="bad">This file is not JSON.</Banner>}
        {error && <Banner tone="bad">{errorText(error)}</Banner>}
        {found?.faults.map((fault) => (
          <Banner key={fault.key} tone="bad">
            {fault.key}: {fault.message}
          </Banner>
        ))}
        {found && found.changes.length === 0 && <Notice title="Nothing would change" />}
        {found && found.changes.length > 0 && (
          <DataTable
            label="Changes"
            columns={COLUMNS}
            rows={found.changes}
            rowKey={(row) => `${row.page}.${row.key}`}
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={!usable} loading={apply.isPending} onClick={takeOver}>
            Take over
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
