import { Button, Stack } from '@mantine/core';
import type { Profile } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { useCancelEmailChange } from './api';
import { EmailForm } from './EmailForm';

interface EmailPanelProps {
  profile: Profile;
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

/** The own address, and the one that waits for its link to be opened (auth 11). */
export function EmailPanel({ profile, guarded }: EmailPanelProps) {
  const { email, email_verified, pending_email } = profile;
  return (
    <Panel title="Email address">
      <Stack gap="sm" maw={420}>
        <div>
          {email === null ? 'None yet' : <bdi>{email}</bdi>}
          {email !== null && !email_verified && ' (not verified)'}
        </div>
        {pending_email !== null && <Waiting email={pending_email} />}
        <EmailForm key={email} profile={profile} guarded={guarded} />
      </Stack>
    </Panel>
  );
}

/** A change that can still be withdrawn. */
function Waiting({ email }: { email: string }) {
  const cancel = useCancelEmailChange();
  return (
    <>
      <Banner
        tone="info"
        action={
          <Button
            size="compact-xs"
            variant="default"
            loading={cancel.isPending}
            onClick={() => cancel.mutate()}
          >
            Withdraw
          </Button>
        }
      >
        Open the link that was sent to <bdi>{email}</bdi> within 24 hours. Until then nothing
        changes.
      </Banner>
      {cancel.isError && <Banner tone="bad">{errorText(cancel.error)}</Banner>}
    </>
  );
}
