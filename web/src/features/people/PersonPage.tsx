import { Link } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import type { User } from '@/api/schema';
import { useCan } from '@/api/session';
import { HeldRoles, WhyPersonPanel } from '@/features/roles';
import { type Field, FieldList } from '@/ui/FieldList';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { personRoute } from '.';
import { useUser } from './api';
import { RolesAndState } from './MemberDialog';
import { MemberHistory } from './MemberHistory';
import classes from './PersonPage.module.css';
import { ScopePanel } from './ScopePanel';
import { SessionsPanel } from './SessionsPanel';
import { SignInPanel } from './SignInPanel';
import { STATE_LABEL, STATE_TONE } from './words';

/** One person: what they may do, which hosts they see and why, how they sign in. */
export function PersonPage() {
  const { userId } = personRoute.useParams();
  const allowed = useCan('users.read');
  const query = useUser(userId, allowed);
  if (!query.data && isProblem(query.error, 'not_found')) {
    return (
      <Notice
        title="This person is not in the organisation"
        action={<Link to="/settings/people">Go to people</Link>}
      />
    );
  }
  return (
    <PageFrame
      title={query.data?.name ?? 'Person'}
      heading={query.data && <Heading user={query.data} />}
      description={<Link to="/settings/people">All people</Link>}
      query={query}
      allowed={allowed}
      noPermission="Only administrators may see the people of the organisation."
      loading={<TableSkeleton rows={8} />}
      empty={null}
      isEmpty={() => false}
    >
      {(user) => <Person user={user} />}
    </PageFrame>
  );
}

function Heading({ user }: { user: User }) {
  return (
    <>
      <bdi>{user.name}</bdi>{' '}
      <StatusBadge tone={STATE_TONE[user.state]} label={STATE_LABEL[user.state]} />
    </>
  );
}

function Person({ user }: { user: User }) {
  const here = user.state !== 'removed';
  return (
    <div className={classes.columns}>
      <div className={classes.column}>
        <Panel title="About">
          <FieldList fields={facts(user)} />
        </Panel>
        <Panel title="Roles and state">
          <RolesAndState key={user.roles.join()} user={user} onDone={() => undefined} />
        </Panel>
        <Panel title="History">
          <MemberHistory userId={user.id} titled={false} />
        </Panel>
      </div>
      {here && (
        <div className={classes.column}>
          <ScopePanel user={user} />
          <HeldRoles userId={user.id} teamIds={user.teams.map((team) => team.id)} />
          <WhyPersonPanel userId={user.id} />
          <SignInPanel user={user} />
          <SessionsPanel user={user} />
        </div>
      )}
    </div>
  );
}

function facts(user: User): Field[] {
  return [
    {
      name: 'Email',
      value: (
        <>
          <bdi>{user.email}</bdi>
          {!user.email_verified && ' (not verified)'}
        </>
      ),
    },
    { name: 'Teams', value: user.teams.map((team) => team.name).join(', ') || 'None' },
    { name: 'Joined', value: <TimeAgo at={user.joined_at} /> },
    { name: 'Last seen', value: <TimeAgo at={user.last_seen_at} missing="not signed in" /> },
    { name: 'Invited by', value: <bdi>{user.invited_by?.name ?? '–'}</bdi> },
  ];
}
