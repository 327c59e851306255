import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { OrganisationSwitch } from '@/features/organisation';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { LeaveButtons } from './LeaveButtons';
import { useHeld } from './useHeld';

/** All that somebody sees before an administrator lets them in (auth 5). */
export function WaitingPage() {
  const me = useHeld('pending');
  return (
    <CentredPage
      title="Waiting for approval"
      description={me.data && `You are signed in as ${me.data.user.email}.`}
    >
      {me.isError && <Banner tone="bad">{errorText(me.error)}</Banner>}
      <div>
        <OrganisationSwitch />
      </div>
      <div>
        An administrator has to let you in and choose what you may do. This page goes on by itself
        when that is done.
      </div>
      <Anchor component={Link} to="/account/profile" size="sm">
        Your profile
      </Anchor>
      <LeaveButtons looking={me.isFetching} onLook={() => void me.refetch()} />
    </CentredPage>
  );
}
