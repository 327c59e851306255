import { Button, Group, Stack } from '@mantine/core';
import { useState } from 'react';
import type { UserSecurity } from '@/api/access';
import type { User } from '@/api/schema';
import { useCan, useMe } from '@/api/session';
import { useStepUp } from '@/features/reauthentication';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Loadable } from '@/ui/Loadable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useSecurity, useSignInAction } from './api';

/** Whether somebody is locked out and has a second factor; unlocking and resetting (auth 19, 22). */
export function SignInPanel({ user }: { user: User }) {
  const query = useSecurity(user.id, useCan('users.read'));
  const { guarded, dialog } = useStepUp();
  const action = useSignInAction(user.id, guarded);
  const [asking, setAsking] = useState(false);
  const manages = useCan('users.manage');
  const ownId = useMe()?.user.id;
  const resets = useCan('mfa.reset') && user.id !== ownId;
  return (
    <Panel title="Sign-in">
      <Stack gap="md">
        {action.isError && !asking && <Banner tone="bad">{errorText(action.error)}</Banner>}
        <Loadable
          query={query}
          loading={<TableSkeleton rows={2} />}
          empty={null}
          isEmpty={() => false}
        >
          {(security) => (
            <>
              <Lock
                security={security}
                manages={manages}
                pending={action.isPending}
                onUnlock={() => action.mutate({ kind: 'unlock' })}
              />
              <Group justify="space-between">
                <div>{factorText(security)}</div>
                {resets && hasFactor(security) && (
                  <Button variant="default" color="danger" onClick={() => setAsking(true)}>
                    Reset second factor
                  </Button>
                )}
              </Group>
            </>
          )}
        </Loadable>
      </Stack>
      <ConfirmDialog
        opened={asking}
        title="Reset the second factor?"
        confirmLabel="Reset"
        danger
        pending={action.isPending}
        error={action.error}
        onConfirm={() =>
          action.mutate({ kind: 'reset_factors' }, { onSuccess: () => setAsking(false) })
        }
        onClose={() => {
          action.reset();
          setAsking(false);
        }}
      >
        The authenticator app, the passkeys and the recovery codes of <bdi>{user.name}</bdi> stop
        working, all sessions end, and a mail says so. Be sure that it is really them who asks.
      </ConfirmDialog>
      {dialog}
    </Panel>
  );
}

interface LockProps {
  security: UserSecurity;
  manages: boolean;
  pending: boolean;
  onUnlock: () => void;
}

function Lock({ security, manages, pending, onUnlock }: LockProps) {
  if (security.locked_until === null) {
    return <div>The account is not locked.</div>;
  }
  return (
    <Banner
      action={
        manages && (
          <Button size="xs" variant="default" loading={pending} onClick={onUnlock}>
            Unlock
          </Button>
        )
      }
    >
      Locked after too many failed sign-ins; ends <TimeAgo at={security.locked_until} kind="any" />.
    </Banner>
  );
}

function hasFactor(security: UserSecurity): boolean {
  return security.authenticator_app || security.passkeys > 0;
}

export function factorText(security: UserSecurity): string {
  const parts = [
    security.authenticator_app ? 'an authenticator app' : '',
    security.passkeys === 1 ? '1 passkey' : '',
    security.passkeys > 1 ? `${security.passkeys} passkeys` : '',
  ].filter(Boolean);
  return parts.length === 0 ? 'No second factor.' : `Second factor: ${parts.join(' and ')}.`;
}
