import { Button, Group, Stack } from '@mantine/core';
import { useState } from 'react';
import type { Licence } from '@/api/licence';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { DateOf } from '@/ui/DateOf';
import { FieldList } from '@/ui/FieldList';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { ActivatePanel } from './ActivatePanel';
import { useLicence, useRefreshRevocations, useRemoveLicence } from './api';
import { HistoryPanel } from './HistoryPanel';
import classes from './LicencePage.module.css';
import { featureText, noticeText, STATUS, seatsText, tierText } from './words';

export function LicencePage() {
  const allowed = useCan('licence.read');
  const mayManage = useCan('licence.manage');
  const query = useLicence(allowed);
  return (
    <PageFrame
      title="Licence"
      description="What your organisation may use, and until when."
      query={query}
      allowed={allowed}
      noPermission="Administrators of your organisation see the licence."
      loading={<TableSkeleton rows={4} />}
      empty={<Notice title="No licence" />}
      isEmpty={() => false}
    >
      {(licence) => (
        <Stack gap="md">
          {licence.banner && (
            <Banner tone={licence.banner.status === 'active' ? 'warn' : 'bad'}>
              {noticeText(licence.banner)}
            </Banner>
          )}
          <StatePanel licence={licence} mayManage={mayManage} />
          {mayManage && <ActivatePanel licence={licence} />}
          <FeaturesPanel licence={licence} />
          <RevocationPanel licence={licence} mayManage={mayManage} />
          <HistoryPanel />
        </Stack>
      )}
    </PageFrame>
  );
}

interface PanelProps {
  licence: Licence;
  mayManage: boolean;
}

function StatePanel({ licence, mayManage }: PanelProps) {
  const [removing, setRemoving] = useState(false);
  const remove = useRemoveLicence();
  const status = STATUS[licence.status];
  const key = licence.key;
  const close = () => {
    remove.reset();
    setRemoving(false);
  };
  return (
    <Panel title="State" aside={<StatusBadge tone={status.tone} label={status.label} />}>
      <FieldList
        fields={[
          { name: 'Tier', value: tierText(licence) },
          { name: 'Hosts', value: seatsText(licence) },
          ...(key
            ? [
                { name: 'Customer', value: <bdi>{key.customer_name}</bdi> },
                { name: 'Technical contact', value: <bdi>{key.customer_email}</bdi> },
                { name: 'Ends', value: <DateOf at={key.expires_at} /> },
                { name: 'Key id', value: <code>{key.jti}</code> },
                { name: 'Verified with', value: <code>{key.verifier_fingerprint}</code> },
              ]
            : []),
        ]}
      />
      {mayManage && key && (
        <Group mt="md">
          <Button variant="default" onClick={() => setRemoving(true)}>
            Remove licence
          </Button>
        </Group>
      )}
      <ConfirmDialog
        opened={removing}
        title="Remove the licence?"
        confirmLabel="Remove"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined, { onSuccess: close })}
        onClose={close}
      >
        Paid features close at once. Monitoring goes on and nothing is deleted. The key can be
        activated again.
      </ConfirmDialog>
    </Panel>
  );
}

function FeaturesPanel({ licence }: { licence: Licence }) {
  return (
    <Panel title="Open features">
      {licence.features.length === 0 ? (
        <span>Everything that Community contains.</span>
      ) : (
        <ul className={classes.features} aria-label="Open features">
          {licence.features.map((feature) => (
            <li key={feature}>{featureText(feature)}</li>
          ))}
        </ul>
      )}
      {licence.unrecognised_features.length > 0 && (
        <p>
          Not known to this version: <bdi>{licence.unrecognised_features.join(', ')}</bdi>
        </p>
      )}
    </Panel>
  );
}

function RevocationPanel({ licence, mayManage }: PanelProps) {
  const refresh = useRefreshRevocations();
  const { enabled, fetched_at: fetched, last_error: failure } = licence.revocations;
  if (!enabled) {
    return null;
  }
  return (
    <Panel
      title="Revoked keys"
      aside={
        mayManage && (
          <Button
            variant="default"
            size="compact-sm"
            loading={refresh.isPending}
            onClick={() => refresh.mutate(undefined)}
          >
            Fetch now
          </Button>
        )
      }
    >
      <FieldList fields={[{ name: 'Last fetched', value: <TimeAgo at={fetched} /> }]} />
      {failure && <Banner>The last attempt failed: {failure}.</Banner>}
      {refresh.isError && <Banner tone="bad">{errorText(refresh.error)}</Banner>}
    </Panel>
  );
}
