import { NativeSelect } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { pollWhenDown } from '@/api/events';
import { useFleetStream } from '@/api/fleet';
import type { Agent } from '@/api/schema';
import { useCan } from '@/api/session';
import { LiveMark } from '@/ui/LiveMark';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { agentsRoute } from '.';
import { AgentDrawer } from './AgentDrawer';
import { AgentTable } from './AgentTable';
import { AGENTS_KEY, AGENTS_PAGE_SIZE, useAgents } from './api';
import { type Asked, DecisionDialog } from './DecisionDialog';
import { AGENT_STATUSES, parseAgentSearch } from './search';
import { STATUS_LABEL } from './words';

const POLL_SECONDS = 30;

export function AgentsPage() {
  const { status, page = 1 } = agentsRoute.useSearch();
  const navigate = agentsRoute.useNavigate();
  const allowed = useCan('agents.read');
  const client = useQueryClient();
  const stream = useFleetStream(async (kinds) => {
    if (kinds.has('agents') || kinds.has('status')) {
      await client.invalidateQueries({ queryKey: [AGENTS_KEY] });
    }
  });
  const query = useAgents({ status, page }, allowed, pollWhenDown(stream, POLL_SECONDS * 1_000));
  const [asked, setAsked] = useState<Asked>();
  const [opened, setOpened] = useState<Agent>();
  return (
    <PageFrame
      title="Agents"
      description="Every agent that has registered, with its key and its certificate."
      actions={<LiveMark live={stream === 'live'} pollSeconds={POLL_SECONDS} />}
      query={query}
      allowed={allowed}
      noPermission="You may not see agents."
      loading={<TableSkeleton rows={8} />}
      empty={<Notice title="No agents yet">Create an enrolment token to enrol the first.</Notice>}
      isEmpty={(list) => list.total === 0 && status === undefined}
    >
      {(list) => (
        <Panel
          title={`${list.total} ${list.total === 1 ? 'agent' : 'agents'}`}
          aside={
            <NativeSelect
              size="xs"
              aria-label="Status"
              value={status ?? ''}
              onChange={(event) =>
                navigate({ search: parseAgentSearch({ status: event.currentTarget.value }) })
              }
              data={[
                { value: '', label: 'Any status' },
                ...AGENT_STATUSES.map((value) => ({ value, label: STATUS_LABEL[value] })),
              ]}
            />
          }
          flush
        >
          {list.items.length === 0 ? (
            <Notice title="No agent has this status" />
          ) : (
            <AgentTable
              rows={list.items}
              busy={query.isPlaceholderData}
              onAsk={setAsked}
              onOpen={setOpened}
            />
          )}
          <Pager
            page={page}
            pageSize={AGENTS_PAGE_SIZE}
            total={list.total}
            onPage={(next) => navigate({ search: parseAgentSearch({ status, page: next }) })}
          />
          <DecisionDialog asked={asked} onClose={() => setAsked(undefined)} />
          <AgentDrawer agent={opened} onClose={() => setOpened(undefined)} />
        </Panel>
      )}
    </PageFrame>
  );
}
