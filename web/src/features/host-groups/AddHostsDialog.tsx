import { Button, Checkbox, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { HostGroup } from '@/api/access';
import { hostName } from '@/features/hosts';
import { Banner } from '@/ui/Banner';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { Pager } from '@/ui/Pager';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useDebouncedText } from '@/ui/useDebouncedText';
import {
  CHOICE_PAGE_SIZE,
  type MemberResult,
  MOST_IN_ONE_CALL,
  useHostChoice,
  useMemberChange,
} from './api';
import { hostCount } from './words';

const SEARCH_DELAY_MS = 250;

interface AddHostsDialogProps {
  opened: boolean;
  group: HostGroup;
  onClose: () => void;
}

/** Chooses hosts over several searches and pages and adds them in one call. */
export function AddHostsDialog({ opened, group, onClose }: AddHostsDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Add hosts to ${group.name}`} size="lg">
      <Choice groupId={group.id} onClose={onClose} />
    </Modal>
  );
}

function Choice({ groupId, onClose }: { groupId: string; onClose: () => void }) {
  const add = useMemberChange();
  const [search, setSearch] = useState('');
  const [page, setPage] = useState(1);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [text, type] = useDebouncedText(search, SEARCH_DELAY_MS, (next) => {
    setSearch(next ?? '');
    setPage(1);
  });
  const found = useHostChoice(search, page);
  if (add.data) {
    return <Done result={add.data} onClose={onClose} />;
  }
  return (
    <Stack gap="md">
      {add.isError && <Banner tone="bad">{errorText(add.error)}</Banner>}
      <TextInput
        type="search"
        aria-label="Search hosts to add"
        placeholder="Name or IP address"
        data-autofocus
        value={text}
        onChange={(event) => type(event.currentTarget.value)}
      />
      <Loadable
        query={found}
        loading={<TableSkeleton rows={6} />}
        empty={<Notice title="No host matches" />}
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <>
            <Checkbox.Group
              aria-label="Hosts"
              value={[...chosen]}
              onChange={(values) => setChosen(values.slice(0, MOST_IN_ONE_CALL))}
            >
              <Stack gap="xs">
                {list.items.map((host) => (
                  <Checkbox
                    key={host.id}
                    value={host.id}
                    label={hostName(host)}
                    description={host.ip_addresses.slice(0, 2).join(', ')}
                  />
                ))}
              </Stack>
            </Checkbox.Group>
            <Pager page={page} pageSize={CHOICE_PAGE_SIZE} total={list.total} onPage={setPage} />
          </>
        )}
      </Loadable>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          disabled={chosen.length === 0}
          loading={add.isPending}
          onClick={() => add.mutate({ groupId, hostIds: chosen, adds: true })}
        >
          Add {hostCount(chosen.length)}
        </Button>
      </Group>
    </Stack>
  );
}

function Done({ result, onClose }: { result: MemberResult; onClose: () => void }) {
  return (
    <Stack gap="md">
      <div>
        {hostCount(result.changed)} added.
        {result.unchanged > 0 && ` ${hostCount(result.unchanged)} had been in the group before.`}
      </div>
      <Group justify="flex-end">
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}
