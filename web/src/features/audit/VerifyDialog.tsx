import { Button, Group, Modal, NativeSelect, Stack } from '@mantine/core';
import { useState } from 'react';
import type { VerifyReport } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useVerify } from './api';
import { breakText } from './words';

const DAY_MS = 86_400_000;
const RANGES = [
  { value: '1', label: 'Last day' },
  { value: '30', label: 'Last 30 days' },
  { value: '400', label: 'Last 400 days' },
];

interface VerifyDialogProps {
  opened: boolean;
  onClose: () => void;
}

/** Recomputes the hash chain and says where it is broken first. */
export function VerifyDialog({ opened, onClose }: VerifyDialogProps) {
  const [days, setDays] = useState('30');
  const verify = useVerify();
  const close = () => {
    verify.reset();
    onClose();
  };
  const run = () => {
    const to = Date.now();
    const from = to - Number(days) * DAY_MS;
    verify.mutate({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
  };
  return (
    <Modal opened={opened} onClose={close} title="Verify the audit log">
      <Stack gap="md">
        <NativeSelect
          label="Range"
          data={RANGES}
          value={days}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
        {verify.error && <Banner tone="bad">{errorText(verify.error)}</Banner>}
        {verify.data && <Result report={verify.data} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Close
          </Button>
          <Button loading={verify.isPending} onClick={run}>
            Verify
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Result({ report }: { report: VerifyReport }) {
  const { first_break: found } = report;
  if (found) {
    return (
      <Banner tone="bad">
        Broken at place {found.seq}: {breakText(found.reason)}.
      </Banner>
    );
  }
  if (report.unsealed > 0) {
    return <Banner tone="bad">{report.unsealed} events were kept out of the chain.</Banner>;
  }
  return (
    <Banner tone="info">
      Intact: {report.checked.toLocaleString('en')} events and {report.checkpoints} signed
      checkpoints fit.
    </Banner>
  );
}
