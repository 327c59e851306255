import { Button, Checkbox, Group, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { HostGroup } from '@/api/access';
import type { HostRow } from '@/api/schema';
import { HOST_COLUMNS, hostName } from '@/features/hosts';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable, nextSort } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { groupRoute } from '.';
import { MEMBERS_PAGE_SIZE, useMemberChange, useMembers } from './api';
import { type GroupSearch, parseGroupSearch } from './search';
import { hostCount } from './words';

const SEARCH_DELAY_MS = 300;

interface MembersPanelProps {
  group: HostGroup;
  writes: boolean;
}

/** The hosts of a group: searched, sorted, paged, chosen to be taken out. */
export function MembersPanel({ group, writes }: MembersPanelProps) {
  const search = groupRoute.useSearch();
  const navigate = groupRoute.useNavigate();
  const query = useMembers(group.id, search, true);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const change = (part: GroupSearch) =>
    navigate({ search: parseGroupSearch({ ...search, page: undefined, ...part }) });
  const descending = search.sort?.startsWith('-') ?? false;
  const sort = { id: search.sort?.replace('-', '') ?? 'hostname', descending };
  const columns = useMemo(
    () => (writes ? [choiceColumn(chosen, setChosen), ...HOST_COLUMNS] : HOST_COLUMNS),
    [writes, chosen],
  );
  return (
    <Panel title="Hosts of the group" aside={<Search search={search} onChange={change} />} flush>
      {chosen.size > 0 && (
        <Chosen groupId={group.id} chosen={chosen} onDone={() => setChosen(new Set())} />
      )}
      <Loadable
        query={query}
        loading={<TableSkeleton rows={8} />}
        empty={
          search.search ? (
            <Notice title="No host matches" />
          ) : (
            <Notice title="No hosts in this group yet" />
          )
        }
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <DataTable
            label="Hosts of the group"
            columns={columns}
            rows={list.items}
            rowKey={(host) => host.id}
            sort={sort}
            onSort={(id) => {
              const next = nextSort(sort, id);
              change({ sort: `${next.descending ? '-' : ''}${next.id}` });
            }}
            busy={query.isPlaceholderData}
          />
        )}
      </Loadable>
      {query.data && (
        <Pager
          page={search.page ?? 1}
          pageSize={MEMBERS_PAGE_SIZE}
          total={query.data.total}
          onPage={(page) => change({ page })}
        />
      )}
    </Panel>
  );
}

function choiceColumn(
  chosen: ReadonlySet<string>,
  onChange: (chosen: ReadonlySet<string>) => void,
): Column<HostRow> {
  return {
    id: 'choice',
    header: 'Choose',
    width: '72px',
    card: 'actions',
    cell: (host) => (
      <Checkbox
        size="xs"
        aria-label={`Choose ${hostName(host)}`}
        checked={chosen.has(host.id)}
        onChange={(event) => {
          const next = new Set(chosen);
          if (event.currentTarget.checked) {
            next.add(host.id);
          } else {
            next.delete(host.id);
          }
          onChange(next);
        }}
      />
    ),
  };
}

interface SearchProps {
  search: GroupSearch;
  onChange: (change: GroupSearch) => void;
}

function Search({ search, onChange }: SearchProps) {
  const [text, type] = useDebouncedText(search.search ?? '', SEARCH_DELAY_MS, (committed) =>
    onChange({ search: committed }),
  );
  return (
    <TextInput
      size="xs"
      type="search"
      aria-label="Search hosts of the group"
      placeholder="Name or IP address"
      value={text}
      onChange={(event) => type(event.currentTarget.value)}
    />
  );
}

interface ChosenProps {
  groupId: string;
  chosen: ReadonlySet<string>;
  onDone: () => void;
}

/** What can be done with the chosen hosts. */
function Chosen({ groupId, chosen, onDone }: ChosenProps) {
  const [asking, setAsking] = useState(false);
  const remove = useMemberChange();
  const confirm = () =>
    remove.mutate({ groupId, hostIds: [...chosen], adds: false }, { onSuccess: onDone });
  return (
    <>
      <Banner
        tone="info"
        action={
          <Group gap="xs">
            <Button size="compact-xs" variant="default" onClick={() => setAsking(true)}>
              Take out of the group
            </Button>
            <Button size="compact-xs" variant="subtle" onClick={onDone}>
              Choose none
            </Button>
          </Group>
        }
      >
        {hostCount(chosen.size)} chosen
      </Banner>
      <ConfirmDialog
        opened={asking}
        title="Take out of the group?"
        confirmLabel="Take out"
        danger
        pending={remove.isPending}
        error={remove.error}
        onConfirm={confirm}
        onClose={() => setAsking(false)}
      >
        {hostCount(chosen.size)} leave the group. People who are limited to it do not see them any
        more.
      </ConfirmDialog>
    </>
  );
}
