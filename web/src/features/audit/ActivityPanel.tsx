import { useNavigate } from '@tanstack/react-router';
import { useCan } from '@/api/session';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { isUnlicensed, useEvents } from './api';
import { EventTable } from './EventTable';
import { UpgradeNotice } from './UpgradeNotice';

interface ActivityPanelProps {
  targetType: string;
  targetId: string;
}

/** The newest events about one thing, for its own page; only for those who may see the log. */
export function ActivityPanel({ targetType, targetId }: ActivityPanelProps) {
  const allowed = useCan('audit.read');
  const navigate = useNavigate();
  const target = { target_type: targetType, target_id: targetId };
  const query = useEvents(target, allowed);
  if (!allowed) {
    return <Notice title="No permission">Only administrators may see what was recorded.</Notice>;
  }
  if (isUnlicensed(query.error)) {
    return <UpgradeNotice />;
  }
  const events = query.data?.pages.flatMap((page) => page.items);
  return (
    <Panel title="Activity" flush>
      <Loadable
        query={{ data: events, error: query.error, refetch: query.refetch }}
        loading={<TableSkeleton rows={4} />}
        empty={<Notice title="Nothing was recorded yet" />}
        isEmpty={(list) => list.length === 0}
      >
        {(list) => (
          <EventTable
            label="Activity"
            rows={list}
            onOpen={(event) => navigate({ to: '/settings/audit', search: { ...target, event } })}
          />
        )}
      </Loadable>
    </Panel>
  );
}
