import { NativeSelect, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { ReenrolmentPolicy } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { Loadable } from '@/ui/Loadable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { useEnrolmentSettings, useSaveEnrolmentSettings } from './api';
import classes from './PolicyPanel.module.css';

const POLICIES: Record<ReenrolmentPolicy, { label: string; text: string }> = {
  adopt: {
    label: 'Adopt the host',
    text: 'The new key replaces the old one. The host keeps its id, its history and its approval.',
  },
  adopt_after_approval: {
    label: 'Adopt the host after approval',
    text: 'The claim waits on the hosts page beside the host it would take over.',
  },
  refuse: {
    label: 'Refuse',
    text: 'The registration is refused. Remove the old host before the machine enrols again.',
  },
};

/** What happens when a known machine that is not online registers with a new key. */
export function PolicyPanel() {
  const query = useEnrolmentSettings(true);
  const save = useSaveEnrolmentSettings();
  const mayWrite = useCan('settings.write');
  return (
    <div className={classes.place}>
      <Panel title="When a known machine enrols again">
        <Loadable
          query={query}
          loading={<Skeleton height={58} />}
          empty={null}
          isEmpty={() => false}
        >
          {({ reenrolment_policy: policy }) => (
            <div className={classes.choice}>
              <NativeSelect
                aria-label="Re-enrolment policy"
                value={policy}
                disabled={!mayWrite || save.isPending}
                onChange={(event) =>
                  save.mutate(
                    { reenrolment_policy: event.currentTarget.value as ReenrolmentPolicy },
                    { onSuccess: () => notifications.show({ message: 'Policy saved' }) },
                  )
                }
                data={Object.entries(POLICIES).map(([value, { label }]) => ({ value, label }))}
              />
              <p className={classes.text}>{POLICIES[policy].text}</p>
              {save.isError && <Banner tone="bad">{errorText(save.error)}</Banner>}
            </div>
          )}
        </Loadable>
      </Panel>
    </div>
  );
}
