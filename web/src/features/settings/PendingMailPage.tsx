import { Button, Group, Modal } from '@mantine/core';
import { useState } from 'react';
import { useCan } from '@/api/session';
import type { PendingMail } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Copyable } from '@/ui/Copyable';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useDiscard, usePendingMail, useReveal } from './api';

/** Mail that no relay took yet. */
export function PendingMailPage() {
  const allowed = useCan('mail.pending');
  const query = usePendingMail(allowed);
  const [revealing, setRevealing] = useState<PendingMail>();
  const [discarding, setDiscarding] = useState<PendingMail>();
  const discard = useDiscard();
  const close = () => {
    setDiscarding(undefined);
    discard.reset();
  };
  return (
    <PageFrame
      title="Pending mail"
      description="Mail that could not be sent yet. It is given up after 24 hours; until then its link can be handed over by other means."
      query={query}
      allowed={allowed}
      noPermission="You may not see pending mail."
      loading={<TableSkeleton rows={3} />}
      empty={<Notice title="No mail waits" />}
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => (
        <>
          <Panel title={`${list.items.length} waiting`} flush>
            <DataTable
              label="Pending mail"
              columns={columns(setRevealing, setDiscarding)}
              rows={list.items}
              rowKey={(row) => row.id}
            />
          </Panel>
          {revealing && <LinkDialog mail={revealing} onClose={() => setRevealing(undefined)} />}
          <ConfirmDialog
            opened={discarding !== undefined}
            title="Discard this mail?"
            confirmLabel="Discard"
            danger
            pending={discard.isPending}
            error={discard.error}
            onConfirm={() => discarding && discard.mutate(discarding.id, { onSuccess: close })}
            onClose={close}
          >
            {discarding?.to} will not get “{discarding?.subject}”.
          </ConfirmDialog>
        </>
      )}
    </PageFrame>
  );
}

type Choose = (mail: PendingMail) => void;

function columns(onReveal: Choose, onDiscard: Choose): Column<PendingMail>[] {
  return [
    { id: 'to', header: 'To', card: 'title', cell: (row) => <bdi>{row.to}</bdi> },
    { id: 'subject', header: 'Subject', card: 'text', cell: (row) => <bdi>{row.subject}</bdi> },
    { id: 'created', header: 'Written', cell: (row) => <TimeAgo at={row.created_at} /> },
    {
      id: 'expires',
      header: 'Given up',
      cell: (row) => <TimeAgo at={row.expires_at} kind="any" />,
    },
    {
      id: 'state',
      header: 'State',
      card: 'corner',
      cell: (row) => (
        <span title={row.last_error ?? undefined}>
          <StatusBadge
            tone={row.state === 'refused' ? 'bad' : 'warn'}
            label={row.state === 'refused' ? 'Refused' : 'Waiting'}
          />
        </span>
      ),
    },
    {
      id: 'error',
      header: 'Last attempt',
      card: 'wide',
      cell: (row) => row.last_error ?? 'none yet',
    },
    {
      id: 'actions',
      header: 'Action',
      align: 'end',
      card: 'actions',
      cell: (row) => (
        <Group gap={6} justify="flex-end" wrap="nowrap">
          {row.has_link && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Show the link for ${row.to}`}
              onClick={() => onReveal(row)}
            >
              Show link
            </Button>
          )}
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Discard the mail to ${row.to}`}
            onClick={() => onDiscard(row)}
          >
            Discard
          </Button>
        </Group>
      ),
    },
  ];
}

function LinkDialog({ mail, onClose }: { mail: PendingMail; onClose: () => void }) {
  const reveal = useReveal();
  return (
    <Modal opened onClose={onClose} title={`Link for ${mail.to}`}>
      {reveal.data ? (
        <Copyable label="link" text={reveal.data.link ?? ''} display="block" />
      ) : (
        <>
          <p>Whoever has this link can use it in place of {mail.to}. Looking at it is recorded.</p>
          {reveal.isError && <Banner tone="bad">{errorText(reveal.error)}</Banner>}
          <Button loading={reveal.isPending} onClick={() => reveal.mutate(mail.id)}>
            Show the link
          </Button>
        </>
      )}
    </Modal>
  );
}
