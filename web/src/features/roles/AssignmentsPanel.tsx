import { Button, Group, SegmentedControl, Stack } from '@mantine/core';
import { useState } from 'react';
import type { RoleAssignment } from '@/api/access';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Loadable } from '@/ui/Loadable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { type Choice, useAssignmentAction, useAssignments } from './api';
import { ChoiceSelect } from './ChoiceSelect';

interface AssignmentsPanelProps {
  roleId: string;
  /** Without the licence who holds a role stays as it is. */
  disabled: boolean;
}

/** People and teams that hold a role. */
export function AssignmentsPanel({ roleId, disabled }: AssignmentsPanelProps) {
  const query = useAssignments(roleId, true);
  const action = useAssignmentAction();
  const [taking, setTaking] = useState<RoleAssignment>();
  return (
    <Panel title="Given to">
      <Stack gap="md">
        {action.isError && !taking && <Banner tone="bad">{errorText(action.error)}</Banner>}
        <Loadable
          query={query}
          loading={<TableSkeleton rows={2} />}
          empty={<div>Nobody yet.</div>}
          isEmpty={(list) => list.items.length === 0}
        >
          {(list) =>
            list.items.map((assignment) => (
              <Group key={assignment.id} justify="space-between">
                <span>
                  {assignment.team_id !== null && 'Team '}
                  <bdi>{assignment.subject_name}</bdi>
                </span>
                {!disabled && (
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={`Take away from ${assignment.subject_name}`}
                    onClick={() => setTaking(assignment)}
                  >
                    Take away
                  </Button>
                )}
              </Group>
            ))
          }
        </Loadable>
        {!disabled && (
          <Give
            pending={action.isPending}
            onGive={(subject) =>
              action.mutateAsync({ kind: 'give', request: { role_id: roleId, ...subject } })
            }
          />
        )}
      </Stack>
      <ConfirmDialog
        opened={taking !== undefined}
        title="Take the role away?"
        confirmLabel="Take away"
        danger
        pending={action.isPending}
        error={action.error}
        onConfirm={() =>
          taking &&
          action.mutate({ kind: 'take', id: taking.id }, { onSuccess: () => setTaking(undefined) })
        }
        onClose={() => {
          action.reset();
          setTaking(undefined);
        }}
      >
        <bdi>{taking?.subject_name}</bdi> loses what only this role gives, with the next request.
      </ConfirmDialog>
    </Panel>
  );
}

type Subject = { user_id: string } | { team_id: string };

interface GiveProps {
  pending: boolean;
  onGive: (subject: Subject) => Promise<unknown>;
}

function Give({ pending, onGive }: GiveProps) {
  const people = useCan('users.read');
  const teams = useCan('teams.read');
  const [kind, setKind] = useState<'person' | 'team'>(people ? 'person' : 'team');
  const [choice, setChoice] = useState<Choice>();
  if (!people && !teams) {
    return null;
  }
  const give = async (chosen: Choice) => {
    await onGive(kind === 'person' ? { user_id: chosen.id } : { team_id: chosen.id });
    setChoice(undefined);
  };
  return (
    <Stack gap="xs">
      {people && teams && (
        <SegmentedControl
          size="xs"
          aria-label="Give to a person or a team"
          data={[
            { value: 'person', label: 'A person' },
            { value: 'team', label: 'A team' },
          ]}
          value={kind}
          onChange={(next) => {
            setKind(next === 'team' ? 'team' : 'person');
            setChoice(undefined);
          }}
        />
      )}
      <Group align="flex-end" gap="xs">
        <div style={{ flex: '1 1 220px' }}>
          <ChoiceSelect
            key={kind}
            kind={kind}
            label={kind === 'person' ? 'Person' : 'Team'}
            value={choice}
            onChange={setChoice}
          />
        </div>
        <Button
          variant="default"
          disabled={choice === undefined}
          loading={pending}
          onClick={() => choice && give(choice).catch(() => undefined)}
        >
          Give
        </Button>
      </Group>
    </Stack>
  );
}
