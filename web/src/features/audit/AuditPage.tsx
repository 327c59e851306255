import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Download, Settings, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { auditRoute } from '.';
import { AuditFilters } from './AuditFilters';
import { isUnlicensed, useEvents } from './api';
import { EventDrawer } from './EventDrawer';
import { EventTable } from './EventTable';
import { ExportDialog } from './ExportDialog';
import { type AuditSearch, filterOf, hasFilter } from './search';
import { UpgradeNotice } from './UpgradeNotice';
import { VerifyDialog } from './VerifyDialog';

type Dialog = 'export' | 'verify';

export function AuditPage() {
  const search = auditRoute.useSearch();
  const navigate = auditRoute.useNavigate();
  const allowed = useCan('audit.read');
  const filter = filterOf(search);
  const query = useEvents(filter, allowed);
  const [dialog, setDialog] = useState<Dialog>();
  const events = query.data?.pages.flatMap((page) => page.items);
  const unlicensed = isUnlicensed(query.error);
  const change = (part: Partial<AuditSearch>) =>
    navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const open = (event: string | undefined) =>
    navigate({ search: (before) => ({ ...before, event }) });
  return (
    <>
      <PageFrame
        title="Audit log"
        description="Who did what, from where and with what result. Nobody can change it."
        actions={!unlicensed && <Actions onOpen={setDialog} />}
        query={
          unlicensed
            ? { data: [], error: undefined, refetch: query.refetch }
            : { data: events, error: query.error, refetch: query.refetch }
        }
        allowed={allowed}
        noPermission="Only administrators may see the audit log."
        loading={<TableSkeleton rows={10} />}
        empty={unlicensed ? <UpgradeNotice /> : <Notice title="Nothing was recorded yet" />}
        isEmpty={(list) => unlicensed || (list.length === 0 && !hasFilter(search))}
      >
        {(list) => (
          <>
            <AuditFilters search={search} onChange={change} />
            <Panel title="Events" flush>
              {list.length === 0 ? (
                <Notice title="No event matches" />
              ) : (
                <EventTable rows={list} busy={query.isPlaceholderData} onOpen={open} />
              )}
            </Panel>
            {query.hasNextPage && (
              <Group justify="center" mt="md">
                <Button
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => query.fetchNextPage()}
                >
                  Show older
                </Button>
              </Group>
            )}
          </>
        )}
      </PageFrame>
      <EventDrawer id={search.event} onOpen={open} onClose={() => open(undefined)} />
      <ExportDialog
        opened={dialog === 'export'}
        filter={filter}
        onClose={() => setDialog(undefined)}
      />
      <VerifyDialog opened={dialog === 'verify'} onClose={() => setDialog(undefined)} />
    </>
  );
}

function Actions({ onOpen }: { onOpen: (dialog: Dialog) => void }) {
  const exports = useCan('audit.export');
  const icon = { size: 16, 'aria-hidden': true } as const;
  return (
    <>
      <Button
        variant="default"
        leftSection={<ShieldCheck {...icon} />}
        onClick={() => onOpen('verify')}
      >
        Verify
      </Button>
      {exports && (
        <Button
          variant="default"
          leftSection={<Download {...icon} />}
          onClick={() => onOpen('export')}
        >
          Export
        </Button>
      )}
      <Button
        component={Link}
        to="/settings/audit/configuration"
        variant="default"
        leftSection={<Settings {...icon} />}
      >
        Retention and forwarding
      </Button>
    </>
  );
}
