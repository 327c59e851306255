import { Button, NativeSelect } from '@mantine/core';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Pager } from '@/ui/Pager';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { enrolmentRoute } from '.';
import { TOKENS_PAGE_SIZE, useTokens } from './api';
import { CreateTokenDialog } from './CreateTokenDialog';
import { PolicyPanel } from './PolicyPanel';
import { parseEnrolmentSearch, TOKEN_STATUSES } from './search';
import { STATUS_LABEL, TokenTable } from './TokenTable';

export function EnrolmentPage() {
  const { status, page = 1 } = enrolmentRoute.useSearch();
  const navigate = enrolmentRoute.useNavigate();
  const allowed = useCan('enrolment.manage');
  const seesSettings = useCan('settings.read');
  const query = useTokens({ status, page }, allowed);
  const [creating, setCreating] = useState(false);
  const createButton = (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      Create token
    </Button>
  );
  return (
    <>
      <PageFrame
        title="Enrolment"
        description="A token lets a machine register its agent. Its secret is shown once."
        actions={createButton}
        query={query}
        allowed={allowed}
        noPermission="Only administrators may see and create enrolment tokens."
        loading={<TableSkeleton rows={6} />}
        empty={
          <Notice title="No tokens yet" action={createButton}>
            Create a token, run its command on a machine, then approve the agent on the hosts page.
          </Notice>
        }
        isEmpty={(list) => list.total === 0 && status === undefined}
      >
        {(list) => (
          <Panel
            title="Tokens"
            aside={
              <NativeSelect
                size="xs"
                aria-label="Status"
                value={status ?? ''}
                onChange={(event) =>
                  navigate({ search: parseEnrolmentSearch({ status: event.currentTarget.value }) })
                }
                data={[
                  { value: '', label: 'Any status' },
                  ...TOKEN_STATUSES.map((value) => ({ value, label: STATUS_LABEL[value] })),
                ]}
              />
            }
            flush
          >
            {list.items.length === 0 ? (
              <Notice title="No token has this status" />
            ) : (
              <TokenTable rows={list.items} busy={query.isPlaceholderData} />
            )}
            <Pager
              page={page}
              pageSize={TOKENS_PAGE_SIZE}
              total={list.total}
              onPage={(next) => navigate({ search: parseEnrolmentSearch({ status, page: next }) })}
            />
          </Panel>
        )}
      </PageFrame>
      {seesSettings && <PolicyPanel />}
      <CreateTokenDialog opened={creating} onClose={() => setCreating(false)} />
    </>
  );
}
