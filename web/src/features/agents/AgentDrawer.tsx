import { Button, Drawer, Skeleton, Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Agent, AgentHistoryEntry } from '@/api/schema';
import { Copyable } from '@/ui/Copyable';
import { FieldList } from '@/ui/FieldList';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import classes from './AgentDrawer.module.css';
import { useAgentHistory } from './api';
import { STATUS_LABEL, STATUS_TONE } from './words';

interface AgentDrawerProps {
  agent: Agent | undefined;
  onClose: () => void;
}

/** Identity of one agent and everything that happened to its status. */
export function AgentDrawer({ agent, onClose }: AgentDrawerProps) {
  return (
    <Drawer
      opened={agent !== undefined}
      onClose={onClose}
      position="right"
      size="md"
      title={agent && <bdi>{agent.hostname}</bdi>}
    >
      {agent && (
        <Stack gap="lg">
          <Identity agent={agent} />
          <section aria-label="History">
            <h3 className={classes.heading}>History</h3>
            <History id={agent.id} />
          </section>
        </Stack>
      )}
    </Drawer>
  );
}

function Identity({ agent }: { agent: Agent }) {
  const host = agent.host_id && (
    <Link to="/hosts/$hostId" params={{ hostId: agent.host_id }}>
      Open host
    </Link>
  );
  return (
    <FieldList
      fields={[
        { name: 'Agent id', value: <Copyable text={agent.id} label="agent id" /> },
        {
          name: 'Key fingerprint',
          value: <Copyable text={agent.key_fingerprint} label="key fingerprint" />,
        },
        {
          name: 'Certificate serial',
          value: agent.certificate ? (
            <Copyable text={agent.certificate.serial} label="certificate serial" />
          ) : (
            '–'
          ),
        },
        { name: 'Registered', value: <TimeAgo at={agent.registered_at} /> },
        { name: 'Host', value: host || '–' },
      ]}
    />
  );
}

function History({ id }: { id: string }) {
  const history = useAgentHistory(id);
  const entries = history.data?.pages.flatMap((page) => page.items);
  return (
    <Loadable
      query={{ ...history, data: entries }}
      loading={<Skeleton height={90} />}
      empty={<Notice title="Nothing happened yet" />}
      isEmpty={(list) => list.length === 0}
    >
      {(list) => (
        <>
          <ol className={classes.history}>
            {list.map((entry) => (
              <Entry key={`${entry.at} ${entry.status}`} entry={entry} />
            ))}
          </ol>
          {history.hasNextPage && (
            <Button
              variant="default"
              size="xs"
              loading={history.isFetchingNextPage}
              onClick={() => history.fetchNextPage()}
            >
              Show older
            </Button>
          )}
        </>
      )}
    </Loadable>
  );
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function Entry({ entry }: { entry: AgentHistoryEntry }) {
  const known = entry.status in STATUS_LABEL ? (entry.status as Agent['status']) : undefined;
  return (
    <li className={classes.entry}>
      <StatusBadge
        tone={known ? STATUS_TONE[known] : 'info'}
        label={known ? STATUS_LABEL[known] : capital(entry.status)}
      />
      <span className={classes.when}>
        <TimeAgo at={entry.at} />
        {entry.actor && (
          <>
            {' by '}
            <bdi>{entry.actor.name}</bdi>
          </>
        )}
      </span>
      {entry.reason && <bdi className={classes.reason}>{entry.reason}</bdi>}
    </li>
  );
}
