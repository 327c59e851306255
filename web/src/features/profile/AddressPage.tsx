import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useStepUp } from '@/features/reauthentication';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { profileQuery } from './api';
import { EmailForm } from './EmailForm';
import { LeaveButtons } from './LeaveButtons';
import { useHeld } from './useHeld';

/** Asks for the address that the directory or identity provider does not know (auth 32). */
export function AddressPage() {
  const me = useHeld('must_give_address');
  const profile = useQuery(profileQuery);
  const { guarded, dialog } = useStepUp();
  return (
    <CentredPage
      title="Your email address"
      description={`${me.data?.user.name ?? 'You'}: where you signed in, no email address is known. Enter yours; letters about your account go there.`}
    >
      {(me.isError || profile.isError) && (
        <Banner tone="bad">{errorText(me.error ?? profile.error)}</Banner>
      )}
      {profile.data && (
        <Stack gap="sm">
          {profile.data.pending_email !== null && (
            <Banner tone="info">
              Open the link that was sent to <bdi>{profile.data.pending_email}</bdi>, then come back
              here. If it does not arrive, enter the address again.
            </Banner>
          )}
          <EmailForm profile={profile.data} guarded={guarded} />
        </Stack>
      )}
      <LeaveButtons second looking={me.isFetching} onLook={() => void me.refetch()} />
      {dialog}
    </CentredPage>
  );
}
