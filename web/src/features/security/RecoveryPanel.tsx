import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Mfa } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Panel } from '@/ui/Panel';
import { useRenewRecoveryCodes } from './api';
import { RecoveryCodesDialog } from './RecoveryCodesDialog';

/** Few enough to think of new ones. */
const FEW = 3;

interface RecoveryPanelProps {
  mfa: Mfa;
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** Codes for the day the phone is lost. */
export function RecoveryPanel({ mfa, guarded }: RecoveryPanelProps) {
  const renew = useRenewRecoveryCodes(guarded);
  const [asking, setAsking] = useState(false);
  const left = mfa.recovery_codes_left;
  if (mfa.totp_enrolled_at === null && mfa.passkeys === 0) {
    return null;
  }
  return (
    <Panel title="Recovery codes">
      <Stack gap="sm">
        <Text size="sm">
          {left === 0
            ? 'You have none. Without them, an administrator has to help when your device is lost.'
            : `${left} of 10 are left. Each signs you in once when your device is lost.`}
        </Text>
        {left > 0 && left <= FEW && <Banner>Make new ones before they run out.</Banner>}
        <Group>
          <Button variant="default" onClick={() => setAsking(true)}>
            Make new codes
          </Button>
        </Group>
      </Stack>
      <ConfirmDialog
        opened={asking}
        title="Make new recovery codes?"
        confirmLabel="Make new codes"
        pending={renew.isPending}
        error={renew.error}
        onConfirm={() => renew.mutate(undefined, { onSuccess: () => setAsking(false) })}
        onClose={() => {
          renew.reset();
          setAsking(false);
        }}
      >
        Ten new codes take the place of those you have.
      </ConfirmDialog>
      <RecoveryCodesDialog codes={renew.data?.recovery_codes} onClose={renew.reset} />
    </Panel>
  );
}
