import { Button, Group } from '@mantine/core';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { type Difference, differences } from './difference';
import type { ProviderForm } from './form';

interface ConflictNoticeProps {
  mine: ProviderForm;
  /** As it is stored now. */
  theirs: ProviderForm;
  onMine: () => void;
  onTheirs: () => void;
}

const COLUMNS: Column<Difference>[] = [
  { id: 'title', header: 'Field', card: 'title', cell: (row) => row.title },
  { id: 'mine', header: 'Yours', card: 'wide', cell: (row) => <bdi>{row.mine}</bdi> },
  { id: 'theirs', header: 'Stored now', card: 'wide', cell: (row) => <bdi>{row.theirs}</bdi> },
];

/** Somebody else saved first: both versions, and whose counts. */
export function ConflictNotice({ mine, theirs, onMine, onTheirs }: ConflictNoticeProps) {
  const rows = differences(mine, theirs);
  return (
    <>
      <Banner tone="bad">
        Somebody else changed this provider since you opened it. Nothing of yours was saved yet.
      </Banner>
      {rows.length > 0 && (
        <DataTable
          label="Both versions"
          columns={COLUMNS}
          rows={rows}
          rowKey={(row) => row.title}
        />
      )}
      <Group gap="xs">
        <Button variant="default" onClick={onMine}>
          Keep mine and go on
        </Button>
        <Button variant="default" onClick={onTheirs}>
          Take what is stored
        </Button>
      </Group>
    </>
  );
}
