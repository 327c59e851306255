import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Mfa, RecoveryCodes } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useBeginTotp, useDisableTotp } from './api';
import { EnrolTotpDialog } from './EnrolTotpDialog';
import { RecoveryCodesDialog } from './RecoveryCodesDialog';

interface TotpPanelProps {
  mfa: Mfa;
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** Codes of an authenticator app. */
export function TotpPanel({ mfa, guarded }: TotpPanelProps) {
  const begin = useBeginTotp(guarded);
  const disable = useDisableTotp(guarded);
  const [removing, setRemoving] = useState(false);
  const [codes, setCodes] = useState<RecoveryCodes>();
  const enrolled = mfa.totp_enrolled_at !== null;
  return (
    <Panel
      title="Authenticator app"
      aside={<StatusBadge tone={enrolled ? 'ok' : 'quiet'} label={enrolled ? 'On' : 'Off'} />}
    >
      <Stack gap="sm">
        <Text size="sm">
          {enrolled ? (
            <>
              Set up <TimeAgo at={mfa.totp_enrolled_at} />. Signing in asks for its code.
            </>
          ) : (
            'An app on your phone shows a new code every 30 seconds. It works without a network.'
          )}
        </Text>
        {begin.error && <Banner tone="bad">{errorText(begin.error)}</Banner>}
        <Group>
          {enrolled ? (
            <Button variant="default" onClick={() => setRemoving(true)}>
              Remove the app
            </Button>
          ) : (
            <Button loading={begin.isPending} onClick={() => begin.mutate()}>
              Set up an app
            </Button>
          )}
        </Group>
      </Stack>
      <EnrolTotpDialog
        enrolment={enrolled ? undefined : begin.data}
        guarded={guarded}
        onEnrolled={setCodes}
        onClose={begin.reset}
      />
      <RecoveryCodesDialog
        codes={codes?.recovery_codes}
        onClose={() => {
          setCodes(undefined);
          begin.reset();
        }}
      />
      <ConfirmDialog
        opened={removing}
        title="Remove the authenticator app?"
        confirmLabel="Remove"
        danger
        pending={disable.isPending}
        error={disable.error}
        onConfirm={() => disable.mutate(undefined, { onSuccess: () => setRemoving(false) })}
        onClose={() => {
          disable.reset();
          setRemoving(false);
        }}
      >
        {mfa.passkeys > 0
          ? 'Signing in then asks for a passkey as second factor.'
          : 'Signing in then asks for your password only, and your recovery codes stop working.'}
      </ConfirmDialog>
    </Panel>
  );
}
