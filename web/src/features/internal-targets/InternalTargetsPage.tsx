import { Button, Radio, Stack } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { EgressMode, EgressTarget } from '@/api/egress';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { AddTarget } from './AddTarget';
import { useEgressPolicy, useRemoveTarget, useSetMode } from './api';

const MODES: readonly { value: EgressMode; label: string; description: string }[] = [
  {
    value: 'internal',
    label: 'Internet and private networks',
    description: 'Webhooks, mail relays and identity providers in private networks need an entry.',
  },
  {
    value: 'public-only',
    label: 'Internet only',
    description: 'Private networks are closed, also to directories and log receivers.',
  },
  {
    value: 'closed',
    label: 'Internal targets only',
    description: 'For air-gapped sites: nothing is reached that is not listed below.',
  },
];

/** Where outgoing connections may go. */
export function InternalTargetsPage() {
  const allowed = useCan('egress.read');
  const mayChange = useCan('egress.manage');
  const query = useEgressPolicy(allowed);
  return (
    <PageFrame
      title="Internal targets"
      description="Where the server may connect to on behalf of this organisation."
      query={query}
      allowed={allowed}
      noPermission="Only administrators may see where outgoing connections may go."
      loading={<TableSkeleton rows={3} />}
      empty={null}
      isEmpty={() => false}
    >
      {(policy) => (
        <>
          {!mayChange && <Banner tone="info">Only a super_admin may change this.</Banner>}
          <Mode mode={policy.mode} mayChange={mayChange} />
          <Panel title="Internal targets" flush={policy.targets.length > 0}>
            <Targets targets={policy.targets} mayChange={mayChange} />
          </Panel>
          {mayChange && <AddTarget />}
        </>
      )}
    </PageFrame>
  );
}

function Mode({ mode, mayChange }: { mode: EgressMode; mayChange: boolean }) {
  const set = useSetMode();
  const [wanted, setWanted] = useState<EgressMode>();
  const close = () => {
    set.reset();
    setWanted(undefined);
  };
  const chosen = MODES.find((one) => one.value === wanted);
  return (
    <Panel title="How far it reaches">
      <Radio.Group
        aria-label="How far it reaches"
        value={mode}
        onChange={(value) => setWanted(value as EgressMode)}
      >
        <Stack gap="xs">
          {MODES.map((one) => (
            <Radio key={one.value} {...one} disabled={!mayChange} />
          ))}
        </Stack>
      </Radio.Group>
      <ConfirmDialog
        opened={wanted !== undefined}
        title="Change outgoing connections?"
        confirmLabel="Change"
        pending={set.isPending}
        error={set.error}
        onConfirm={() => wanted && set.mutate(wanted, { onSuccess: close })}
        onClose={close}
      >
        {chosen?.label}. {chosen?.description} It holds from the next connection on.
      </ConfirmDialog>
    </Panel>
  );
}

interface TargetsProps {
  targets: readonly EgressTarget[];
  mayChange: boolean;
}

function Targets({ targets, mayChange }: TargetsProps) {
  const remove = useRemoveTarget();
  const { mutate } = remove;
  const columns = useMemo<Column<EgressTarget>[]>(
    () => [
      { id: 'target', header: 'Target', card: 'title', cell: (row) => <bdi>{row.target}</bdi> },
      { id: 'note', header: 'What for', card: 'text', cell: (row) => <bdi>{row.note}</bdi> },
      {
        id: 'actions',
        header: 'Action',
        align: 'end',
        card: 'corner',
        cell: (row) =>
          mayChange && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Remove ${row.target}`}
              onClick={() => mutate(row.target)}
            >
              Remove
            </Button>
          ),
      },
    ],
    [mayChange, mutate],
  );
  return (
    <>
      {remove.error && <Banner tone="bad">{errorText(remove.error)}</Banner>}
      {targets.length === 0 ? (
        <Notice title="No internal target yet">
          Add networks, hosts or domains that webhooks, mail relays and identity providers use.
        </Notice>
      ) : (
        <DataTable
          label="Internal targets"
          columns={columns}
          rows={targets}
          rowKey={(row) => row.target}
        />
      )}
    </>
  );
}
