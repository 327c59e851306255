import { Button, Group } from '@mantine/core';
import type { SettingsPage } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { shownValue } from './values';

interface ConflictViewProps {
  /** As it is stored now. */
  page: SettingsPage;
  draft: Record<string, unknown>;
  onMine: () => void;
  onTheirs: () => void;
}

interface Row {
  key: string;
  mine: string;
  theirs: string;
}

const COLUMNS: Column<Row>[] = [
  { id: 'key', header: 'Key', card: 'title', cell: (row) => row.key },
  { id: 'mine', header: 'Yours', cell: (row) => <bdi>{row.mine}</bdi> },
  { id: 'theirs', header: 'Stored now', cell: (row) => <bdi>{row.theirs}</bdi> },
];

/** Somebody else saved first: both versions, and whose counts. */
export function ConflictView({ page, draft, onMine, onTheirs }: ConflictViewProps) {
  const rows = page.keys
    .filter((key) => key.name in draft)
    .map((key) => ({
      key: key.title,
      mine: key.type === 'secret' ? 'new secret' : shownValue(draft[key.name]),
      theirs: key.type === 'secret' ? 'not shown' : shownValue(page.values[key.name]),
    }));
  return (
    <>
      <Banner tone="bad">
        {page.updated_by?.name ?? 'Somebody else'} saved this page since you opened it. Nothing of
        yours was saved yet.
      </Banner>
      <DataTable label="Both versions" columns={COLUMNS} rows={rows} rowKey={(row) => row.key} />
      <Group gap="xs" mt="xs">
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
