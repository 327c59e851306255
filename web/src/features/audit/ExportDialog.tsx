import { Anchor, Button, Group, Modal, NativeSelect, Stack } from '@mantine/core';
import { useState } from 'react';
import type { AuditExport } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { exportUrl, type Filter, useCreateExport } from './api';

interface ExportDialogProps {
  opened: boolean;
  filter: Filter;
  onClose: () => void;
}

const FORMATS = [
  { value: 'csv', label: 'CSV, for spreadsheets' },
  { value: 'jsonl', label: 'JSON Lines, can be verified offline' },
  { value: 'cef', label: 'CEF, for security tools' },
];

/** Exports what the present filter shows, with a signature beside the file. */
export function ExportDialog({ opened, filter, onClose }: ExportDialogProps) {
  const [format, setFormat] = useState('csv');
  const create = useCreateExport();
  const close = () => {
    create.reset();
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title="Export events">
      {create.data ? (
        <Ready made={create.data} onClose={close} />
      ) : (
        <Stack gap="md">
          <NativeSelect
            label="Format"
            data={FORMATS}
            value={format}
            onChange={(event) => setFormat(event.currentTarget.value)}
          />
          <p>
            Exports every event of the present filter, at most 1,000,000. The export is recorded.
          </p>
          {create.error && <Banner tone="bad">{errorText(create.error)}</Banner>}
          <Group justify="flex-end">
            <Button
              loading={create.isPending}
              onClick={() => create.mutate({ format, filter })}
              data-autofocus
            >
              Prepare export
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function Ready({ made, onClose }: { made: AuditExport; onClose: () => void }) {
  return (
    <Stack gap="md">
      <p role="status">{made.events.toLocaleString('en')} events are ready.</p>
      <Anchor href={exportUrl(made.id, 'file')} download>
        Download the file
      </Anchor>
      <p>
        The signature is made while the file is read; fetch it afterwards. Check both with{' '}
        <code>ct-ops audit verify</code>.
      </p>
      <Anchor href={exportUrl(made.id, 'signature')} download={`audit-${made.id}.sig.json`}>
        Download the signature
      </Anchor>
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
      </Group>
    </Stack>
  );
}
