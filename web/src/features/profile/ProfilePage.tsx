import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useStepUp } from '@/features/reauthentication';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { profileQuery } from './api';
import { EmailPanel } from './EmailPanel';
import { NameForm } from './NameForm';

/** The own name and email address. */
export function ProfilePage() {
  const query = useQuery(profileQuery);
  const { guarded, dialog } = useStepUp();
  return (
    <PageFrame
      title="Profile"
      description="How others see you, and where letters to you go."
      query={query}
      allowed
      noPermission=""
      loading={<TableSkeleton rows={3} />}
      empty={<Notice title="Nothing here" />}
      isEmpty={() => false}
    >
      {(profile) => (
        <Stack gap="md">
          <Panel title="Name">
            <NameForm name={profile.name} />
          </Panel>
          <EmailPanel profile={profile} guarded={guarded} />
          {dialog}
        </Stack>
      )}
    </PageFrame>
  );
}
