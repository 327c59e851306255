import { Button, Group, Stack } from '@mantine/core';
import { useState } from 'react';
import type { HostScope } from '@/api/access';
import { isProblem } from '@/api/problem';
import type { User } from '@/api/schema';
import { useCan, useMe } from '@/api/session';
import { GroupPicker } from '@/features/host-groups';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { formatCount } from '@/ui/format';
import { Loadable } from '@/ui/Loadable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useHostScope, useSetHostScope } from './api';

/** Which hosts somebody sees, and the groups they are limited to (host-groups 15). */
export function ScopePanel({ user }: { user: User }) {
  const allowed = useCan('host_scopes.manage');
  const query = useHostScope(user.id, allowed);
  if (!allowed) {
    return null;
  }
  return (
    <Panel title="Hosts this person sees">
      <Loadable
        query={query}
        loading={<TableSkeleton rows={2} />}
        empty={null}
        isEmpty={() => false}
      >
        {(scope) => (
          <Stack gap="md">
            <div>{scopeText(scope)}</div>
            {scope.team_groups.length > 0 && <TeamGroups scope={scope} />}
            <Limits
              // What the server says now is what the form begins with.
              key={scope.groups.map((group) => group.id).join()}
              user={user}
              scope={scope}
            />
          </Stack>
        )}
      </Loadable>
    </Panel>
  );
}

function hosts(count: number): string {
  return count === 1 ? '1 host' : `${formatCount(count)} hosts`;
}

export function scopeText(scope: HostScope): string {
  return scope.sees_all
    ? `The whole organisation: ${hosts(scope.host_count)} now.`
    : `Only the groups below: ${hosts(scope.host_count)} now.`;
}

function TeamGroups({ scope }: { scope: HostScope }) {
  return (
    <ul style={{ margin: 0, paddingInlineStart: 18 }} aria-label="Groups through teams">
      {scope.team_groups.map((group) => (
        <li key={`${group.team.id} ${group.id}`}>
          <bdi>{group.name}</bdi> through the team <bdi>{group.team.name}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Why the limits of this person cannot be changed; nothing when they can. */
function obstacle(user: User, ownId: string | undefined): string | undefined {
  if (user.id === ownId) {
    return 'Nobody changes their own limits.';
  }
  if (user.roles.includes('org_admin') || user.roles.includes('super_admin')) {
    return 'Administrators always see the whole organisation.';
  }
  return undefined;
}

function Limits({ user, scope }: { user: User; scope: HostScope }) {
  const refused = obstacle(user, useMe()?.user.id);
  const before = scope.groups.map((group) => group.id);
  const [groups, setGroups] = useState<readonly string[]>(before);
  const [asking, setAsking] = useState(false);
  const save = useSetHostScope(user.id);
  if (refused) {
    return <Banner tone="info">{refused}</Banner>;
  }
  const changed = groups.length !== before.length || groups.some((id) => !before.includes(id));
  const fields = isProblem(save.error) ? save.error.fieldMessages() : {};
  const unlimited = groups.length === 0 && scope.team_groups.length === 0;
  const submit = () => save.mutate(groups, { onSuccess: () => setAsking(false) });
  return (
    <>
      {save.isError && !fields.group_ids && !asking && (
        <Banner tone="bad">{errorText(save.error)}</Banner>
      )}
      <GroupPicker
        label="Limited to host groups"
        description="None means no limit, unless a scoping team sets one."
        value={groups}
        known={scope.groups}
        onChange={setGroups}
        error={fields.group_ids}
      />
      <Group justify="flex-end">
        <Button
          disabled={!changed}
          loading={save.isPending}
          // Taking the last limit away shows somebody everything; that is asked for once more.
          onClick={() => (unlimited ? setAsking(true) : submit())}
        >
          Save limits
        </Button>
      </Group>
      <ConfirmDialog
        opened={asking}
        title="Show every host?"
        confirmLabel="Take the limit away"
        danger
        pending={save.isPending}
        error={save.error}
        onConfirm={submit}
        onClose={() => setAsking(false)}
      >
        Without any group <bdi>{user.name}</bdi> sees every host of the organisation.
      </ConfirmDialog>
    </>
  );
}
