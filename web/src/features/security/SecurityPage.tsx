import { Stack } from '@mantine/core';
import { useMe } from '@/api/session';
import { LinkedIdentitiesPanel } from '@/features/link-account';
import { useStepUp } from '@/features/reauthentication';
import { Banner } from '@/ui/Banner';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useMfa } from './api';
import { PasskeysPanel } from './PasskeysPanel';
import { RecoveryPanel } from './RecoveryPanel';
import { TotpPanel } from './TotpPanel';

/** Second factors of the person who is signed in; the only page of those who have to enrol one. */
export function SecurityPage() {
  const mfa = useMfa();
  const mustEnrol = useMe()?.standing === 'must_enrol';
  const { guarded, dialog } = useStepUp();
  return (
    <PageFrame
      title="Security"
      description="What proves that it is you, beside your password."
      query={mfa}
      allowed
      noPermission=""
      loading={<TableSkeleton rows={4} />}
      empty={<Notice title="Nothing here" />}
      isEmpty={() => false}
    >
      {(data) => (
        <Stack gap="md">
          {mustEnrol && (
            <Banner>
              Your organisation demands a second factor. Set up an authenticator app or a passkey to
              go on.
            </Banner>
          )}
          <TotpPanel mfa={data} guarded={guarded} />
          <PasskeysPanel guarded={guarded} />
          <RecoveryPanel mfa={data} guarded={guarded} />
          <LinkedIdentitiesPanel guarded={guarded} />
          {dialog}
        </Stack>
      )}
    </PageFrame>
  );
}
