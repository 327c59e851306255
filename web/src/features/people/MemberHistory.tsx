import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useUserHistory } from './api';
import { changeLabel } from './words';

const LIST = { margin: 0, paddingInlineStart: 18 };

interface MemberHistoryProps {
  userId: string;
  /** Whether it brings its own title; a panel has one already. */
  titled?: boolean;
}

/** What happened to a person, newest first. */
export function MemberHistory({ userId, titled = true }: MemberHistoryProps) {
  const query = useUserHistory(userId);
  return (
    <section aria-label="History">
      {titled && <h3>History</h3>}
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={<Notice title="No changes yet" />}
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <ul style={LIST}>
            {list.items.map((entry) => (
              <li key={entry.id}>
                {changeLabel(entry.change)} <TimeAgo at={entry.at} />
                {entry.actor && (
                  <>
                    {' by '}
                    <bdi>{entry.actor.name}</bdi>
                  </>
                )}
                {entry.reason && (
                  <>
                    {': '}
                    <bdi>{entry.reason}</bdi>
                  </>
                )}
              </li>
            ))}
          </ul>
        )}
      </Loadable>
    </section>
  );
}
