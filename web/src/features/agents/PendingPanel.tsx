import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Agent, Page } from '@/api/schema';
import { formatCount } from '@/ui/format';
import { HoverList } from '@/ui/HoverList';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { CollisionNote } from './CollisionNote';
import { type Asked, DecisionDialog } from './DecisionDialog';
import classes from './PendingPanel.module.css';
import { platform } from './words';

/** Agents that wait for approval, each with what a person needs to decide. */
export function PendingPanel({ pending }: { pending: Page<Agent> }) {
  const [asked, setAsked] = useState<Asked>();
  const hidden = pending.total - pending.items.length;
  return (
    <Panel
      title={`Waiting for approval (${formatCount(pending.total)})`}
      aside={
        hidden > 0 && (
          <Link to="/agents" search={{ status: 'pending' }}>
            {formatCount(hidden)} more
          </Link>
        )
      }
      flush
    >
      <ul className={classes.list}>
        {pending.items.map((agent) => (
          <PendingAgent key={agent.id} agent={agent} onAsk={setAsked} />
        ))}
      </ul>
      <DecisionDialog asked={asked} onClose={() => setAsked(undefined)} />
    </Panel>
  );
}

interface PendingAgentProps {
  agent: Agent;
  onAsk: (asked: Asked) => void;
}

function PendingAgent({ agent, onAsk }: PendingAgentProps) {
  return (
    <li className={classes.agent}>
      <div className={classes.facts}>
        <div className={classes.line}>
          <bdi className={classes.name}>{agent.hostname}</bdi>
          <span className={classes.dim}>
            <bdi>{platform(agent)}</bdi>
          </span>
          <HoverList items={agent.ip_addresses} shown={2} noun="addresses" />
        </div>
        <div className={`${classes.line} ${classes.dim}`}>
          <span>
            Registered <TimeAgo at={agent.registered_at} />
          </span>
          <span>
            Token <bdi className={classes.plain}>{agent.token?.label ?? 'deleted'}</bdi>
          </span>
          <span>
            Key <code className={classes.key}>{agent.key_fingerprint}</code>
          </span>
        </div>
        {agent.collision && <CollisionNote collision={agent.collision} />}
      </div>
      <div className={classes.actions}>
        <Button
          size="xs"
          onClick={() => onAsk({ agent, decision: 'approve' })}
          aria-label={`Approve ${agent.hostname}`}
        >
          Approve
        </Button>
        <Button
          size="xs"
          variant="default"
          onClick={() => onAsk({ agent, decision: 'reject' })}
          aria-label={`Reject ${agent.hostname}`}
        >
          Reject
        </Button>
      </div>
    </li>
  );
}
