import { Skeleton, Switch } from '@mantine/core';
import { useCan } from '@/api/session';
import type { FeatureFlag } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { type Column, DataTable } from '@/ui/DataTable';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { useFlags, useTurnFlag } from './api';

/** Switches of the program. */
export function FlagsPage() {
  const allowed = useCan('settings.read');
  const writes = useCan('settings.write');
  const query = useFlags(allowed);
  const turn = useTurnFlag();
  const columns: Column<FeatureFlag>[] = [
    { id: 'key', header: 'Flag', card: 'title', cell: (row) => <code>{row.key}</code> },
    { id: 'about', header: 'What it switches', card: 'wide', cell: (row) => row.about },
    { id: 'default', header: 'Default', cell: (row) => (row.default ? 'on' : 'off') },
    {
      id: 'turned',
      header: 'Turned',
      cell: (row) => (
        <>
          <TimeAgo at={row.turned_at} />
          {row.turned_by && ` by ${row.turned_by}`}
        </>
      ),
    },
    {
      id: 'value',
      header: 'On',
      align: 'end',
      card: 'corner',
      cell: (row) => (
        <Switch
          aria-label={row.key}
          checked={row.value}
          disabled={!writes || !row.configurable || turn.isPending}
          onChange={(event) => turn.mutate({ [row.key]: event.currentTarget.checked })}
        />
      ),
    },
  ];
  return (
    <PageFrame
      title="Feature flags"
      description="Parts of the program that can be switched off for this organisation."
      query={query}
      allowed={allowed}
      noPermission="You may not see feature flags."
      loading={<Skeleton height={240} />}
      empty={<Notice title="No flags" />}
      isEmpty={(flags) => flags.items.length === 0}
    >
      {(flags) => (
        <>
          {turn.isError && <Banner tone="bad">{errorText(turn.error)}</Banner>}
          {flags.unknown.length > 0 && (
            <Banner tone="info">
              Stored, but not known to this release and therefore off: {flags.unknown.join(', ')}
            </Banner>
          )}
          <Panel title="Flags" flush hideTitle>
            <DataTable
              label="Flags"
              columns={columns}
              rows={flags.items}
              rowKey={(row) => row.key}
            />
          </Panel>
        </>
      )}
    </PageFrame>
  );
}
