import { Button } from '@mantine/core';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useAddTarget } from './api';

interface TargetOfferProps {
  /** Host that was refused for want of an entry. */
  host: string;
  /** Is called when the entry is there, to try again what was refused. */
  onAdded: () => void;
}

/** What was tried lies in a private network: offers to open the way there (security 8). */
export function TargetOffer({ host, onAdded }: TargetOfferProps) {
  const mayAdd = useCan('egress.manage');
  const add = useAddTarget();
  if (!mayAdd) {
    return (
      <Banner>
        <bdi>{host}</bdi> may not be reached. A super_admin has to add it to the internal targets
        first.
      </Banner>
    );
  }
  return (
    <>
      <Banner
        action={
          <Button
            size="compact-sm"
            variant="default"
            loading={add.isPending}
            onClick={() => add.mutate({ target: host, note: '' }, { onSuccess: onAdded })}
          >
            Add it and try again
          </Button>
        }
      >
        <bdi>{host}</bdi> is not among the internal targets.
      </Banner>
      {add.error && <Banner tone="bad">{errorText(add.error)}</Banner>}
    </>
  );
}
