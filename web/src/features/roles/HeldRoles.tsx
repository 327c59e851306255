import { Stack } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/session';
import { Loadable } from '@/ui/Loadable';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useAssignments } from './api';

interface HeldRolesProps {
  userId: string;
  teamIds: readonly string[];
}

/** Custom roles of a person, by themselves and through teams. */
export function HeldRoles({ userId, teamIds }: HeldRolesProps) {
  const allowed = useCan('rbac.manage');
  const query = useAssignments(undefined, allowed);
  if (!allowed) {
    return null;
  }
  return (
    <Panel title="Custom roles">
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={<div>None.</div>}
        isEmpty={(list) => held(list.items, userId, teamIds).length === 0}
      >
        {(list) => (
          <Stack gap="xs">
            {held(list.items, userId, teamIds).map((assignment) => (
              <div key={assignment.id}>
                <Link to="/settings/roles/$roleId" params={{ roleId: assignment.role_id }}>
                  <bdi>{assignment.role_name}</bdi>
                </Link>
                {assignment.team_id !== null && (
                  <>
                    {' through the team '}
                    <bdi>{assignment.subject_name}</bdi>
                  </>
                )}
              </div>
            ))}
          </Stack>
        )}
      </Loadable>
    </Panel>
  );
}

function held<T extends { user_id: string | null; team_id: string | null }>(
  assignments: readonly T[],
  userId: string,
  teamIds: readonly string[],
): T[] {
  return assignments.filter(
    ({ user_id, team_id }) => user_id === userId || (team_id !== null && teamIds.includes(team_id)),
  );
}
