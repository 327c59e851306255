import { Button, Drawer, Skeleton, Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { AuditEvent, AuditEventDetail } from '@/api/schema';
import { Copyable } from '@/ui/Copyable';
import { type Column, DataTable } from '@/ui/DataTable';
import { type Field, FieldList } from '@/ui/FieldList';
import { formatExact } from '@/ui/format';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useEvent } from './api';
import { type Difference, differences } from './difference';
import { ACTOR_KINDS, actorName, outcomeLabel, outcomeTone, targetName } from './words';

interface EventDrawerProps {
  id: string | undefined;
  onOpen: (id: string) => void;
  onClose: () => void;
}

/** One event: what differs, where it came from, its place in the chain and its neighbours. */
export function EventDrawer({ id, onOpen, onClose }: EventDrawerProps) {
  const query = useEvent(id);
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title="Event"
      closeButtonProps={{ 'aria-label': 'Close event' }}
    >
      <Loadable
        query={query}
        loading={<Skeleton height={240} />}
        empty={<Notice title="Nothing is known about it" />}
        isEmpty={() => false}
      >
        {(event) => (
          <Stack gap="lg">
            <p>
              <StatusBadge tone={outcomeTone(event.outcome)} label={outcomeLabel(event.outcome)} />{' '}
              <bdi>{event.summary || event.action}</bdi>
            </p>
            <Changes event={event} />
            <FieldList fields={fieldsOf(event)} />
            <Neighbours title="Same request" events={event.same_request} onOpen={onOpen} />
            <Neighbours title="Same session" events={event.same_session} onOpen={onOpen} />
          </Stack>
        )}
      </Loadable>
    </Drawer>
  );
}

const COLUMNS: Column<Difference>[] = [
  { id: 'path', header: 'Field', card: 'title', cell: (line) => <bdi>{line.path}</bdi> },
  { id: 'before', header: 'Before', card: 'wide', cell: (line) => <bdi>{line.before ?? '–'}</bdi> },
  { id: 'after', header: 'After', card: 'wide', cell: (line) => <bdi>{line.after ?? '–'}</bdi> },
];

function Changes({ event }: { event: AuditEventDetail }) {
  const lines = differences(event.before, event.after);
  if (lines.length === 0) {
    return null;
  }
  return (
    <section aria-label="Difference">
      <DataTable label="Difference" columns={COLUMNS} rows={lines} rowKey={(line) => line.path} />
    </section>
  );
}

function Target({ event }: { event: AuditEventDetail }) {
  const name = <bdi>{targetName(event)}</bdi>;
  if (event.target_type === 'host' && event.target_id && event.target_exists) {
    return (
      <Link to="/hosts/$hostId" params={{ hostId: event.target_id }}>
        {name}
      </Link>
    );
  }
  return (
    <>
      {name} ({event.target_type}
      {event.target_exists === false && ', gone'})
    </>
  );
}

function fieldsOf(event: AuditEventDetail): Field[] {
  const secondFactor = event.second_factor === null ? '' : event.second_factor ? 'yes' : 'no';
  const optional: [string, string | null | undefined][] = [
    ['Reason', event.reason_code],
    ['Cause', event.cause],
    ['Times within a minute', event.repeats > 1 ? String(event.repeats) : ''],
    ['Address', event.ip],
    ['Browser or program', event.user_agent],
    ['Signed in with', event.auth_method],
    ['Second factor', secondFactor],
    ['Request id', event.request_id],
    ['API key', event.api_key_id],
  ];
  return [
    { name: 'When', value: <ExactTime at={event.at} /> },
    {
      name: 'Who',
      value: (
        <>
          <bdi>{actorName(event)}</bdi> ({ACTOR_KINDS[event.actor.kind] ?? event.actor.kind})
        </>
      ),
    },
    { name: 'Action', value: <code>{event.action}</code> },
    { name: 'Target', value: <Target event={event} /> },
    ...optional
      .filter(([, value]) => value)
      .map(([name, value]) => ({ name, value: <bdi>{value}</bdi> })),
    {
      name: 'Place in the chain',
      value: event.chain ? (
        <>
          {event.chain.seq} <Copyable text={event.chain.hash} label="hash" />
        </>
      ) : (
        'sealed within seconds'
      ),
    },
  ];
}

function ExactTime({ at }: { at: string }) {
  return (
    <>
      {formatExact(Date.parse(at))} (<TimeAgo at={at} />)
    </>
  );
}

interface NeighboursProps {
  title: string;
  events: readonly AuditEvent[];
  onOpen: (id: string) => void;
}

function Neighbours({ title, events, onOpen }: NeighboursProps) {
  if (events.length === 0) {
    return null;
  }
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <ul>
        {events.map((event) => (
          <li key={event.id}>
            <Button variant="transparent" size="compact-sm" px={0} onClick={() => onOpen(event.id)}>
              <bdi>{event.summary || event.action}</bdi>
            </Button>{' '}
            <TimeAgo at={event.at} />
          </li>
        ))}
      </ul>
    </section>
  );
}
