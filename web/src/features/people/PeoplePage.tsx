import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { UserPlus } from 'lucide-react';
import { useState } from 'react';
import type { User } from '@/api/schema';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { peopleRoute } from '.';
import { PEOPLE_PAGE_SIZE, useUsers } from './api';
import { InvitationsPanel } from './InvitationsPanel';
import { InviteDialog } from './InviteDialog';
import { MemberDialog } from './MemberDialog';
import { PeopleTable } from './PeopleTable';
import { type PeopleSearch, parsePeopleSearch } from './search';
import { WaitingPanel } from './WaitingPanel';
import { ROLE_LABEL, ROLES, STATE_LABEL, STATES } from './words';

const SEARCH_DELAY_MS = 300;

/** Everybody of the organisation, and who is invited. */
export function PeoplePage() {
  const search = peopleRoute.useSearch();
  const allowed = useCan('users.read');
  const invites = useCan('invitations.manage');
  const query = useUsers(search, allowed);
  const [inviting, setInviting] = useState(false);
  const [chosen, setChosen] = useState<User>();
  const navigate = peopleRoute.useNavigate();
  const { page = 1, ...filter } = search;
  const filtered = Object.values(filter).some((value) => value !== undefined);
  return (
    <>
      <PageFrame
        title="People"
        description="Who belongs to this organisation, and what they may do."
        actions={
          invites && (
            <Button
              leftSection={<UserPlus size={16} aria-hidden="true" />}
              onClick={() => setInviting(true)}
            >
              Invite
            </Button>
          )
        }
        query={query}
        allowed={allowed}
        noPermission="Only administrators may see the people of the organisation."
        loading={<TableSkeleton rows={6} />}
        empty={<Notice title="Nobody here" />}
        isEmpty={(list) => list.total === 0 && !filtered}
      >
        {(list) => (
          <>
            <WaitingPanel onAdmit={setChosen} />
            <Panel title="Members" aside={<Filters search={search} />} flush>
              {list.items.length === 0 ? (
                <Notice title="Nobody matches" />
              ) : (
                <PeopleTable rows={list.items} busy={query.isPlaceholderData} onOpen={setChosen} />
              )}
              <Pager
                page={page}
                pageSize={PEOPLE_PAGE_SIZE}
                total={list.total}
                onPage={(next) =>
                  navigate({ search: parsePeopleSearch({ ...search, page: next }) })
                }
              />
            </Panel>
            {invites && <InvitationsPanel />}
          </>
        )}
      </PageFrame>
      <InviteDialog opened={inviting} onClose={() => setInviting(false)} />
      <MemberDialog user={chosen} onClose={() => setChosen(undefined)} />
    </>
  );
}

function Filters({ search }: { search: PeopleSearch }) {
  const navigate = peopleRoute.useNavigate();
  const change = (more: Record<string, unknown>) =>
    navigate({ search: parsePeopleSearch({ ...search, page: undefined, ...more }) });
  const [text, type] = useDebouncedText(search.search ?? '', SEARCH_DELAY_MS, (committed) =>
    change({ search: committed }),
  );
  return (
    <Group gap="xs">
      <TextInput
        size="xs"
        type="search"
        aria-label="Search people"
        placeholder="Name or address"
        value={text}
        onChange={(event) => type(event.currentTarget.value)}
      />
      <NativeSelect
        size="xs"
        aria-label="State"
        value={search.state ?? ''}
        onChange={(event) => change({ state: event.currentTarget.value })}
        data={[
          { value: '', label: 'All but removed' },
          ...STATES.map((value) => ({ value, label: STATE_LABEL[value] })),
        ]}
      />
      <NativeSelect
        size="xs"
        aria-label="Role"
        value={search.role ?? ''}
        onChange={(event) => change({ role: event.currentTarget.value })}
        data={[
          { value: '', label: 'Any role' },
          ...ROLES.map((value) => ({ value, label: ROLE_LABEL[value] })),
        ]}
      />
    </Group>
  );
}
