import { useQuery } from '@tanstack/react-query';
import { meQuery } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { ChangePasswordForm } from './ChangePasswordForm';

/** The own password. */
export function PasswordPage() {
  const me = useQuery(meQuery);
  return (
    <PageFrame
      title="Password"
      description="What you sign in with."
      query={me}
      allowed
      noPermission=""
      loading={<TableSkeleton rows={3} />}
      empty={<Notice title="Nothing here" />}
      isEmpty={() => false}
    >
      {({ user }) => (
        <Panel title="Change your password">
          <ChangePasswordForm email={user.email} />
        </Panel>
      )}
    </PageFrame>
  );
}
