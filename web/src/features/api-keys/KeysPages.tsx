import { Button } from '@mantine/core';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { type KeyKind, useKeys } from './api';
import { CreateKeyDialog } from './CreateKeyDialog';
import { KeyTable } from './KeyTable';

/** Keys of the person who is signed in. */
export function OwnKeysPage() {
  return (
    <KeysPage
      kind="own"
      title="API keys"
      description="A key lets a program of yours use the API as you, with the permissions you name."
      allowed={useCan('api_keys.own')}
      noPermission="You may not have API keys."
    />
  );
}

/** Keys of the organisation's services. */
export function ServiceKeysPage() {
  return (
    <KeysPage
      kind="service"
      title="Service keys"
      description="A service key belongs to the organisation, with a role of its own. It outlives the person who made it."
      allowed={useCan('service_keys.manage')}
      noPermission="Only administrators may see and make service keys."
    />
  );
}

interface KeysPageProps {
  kind: KeyKind;
  title: string;
  description: string;
  allowed: boolean;
  noPermission: string;
}

function KeysPage({ kind, title, description, allowed, noPermission }: KeysPageProps) {
  const query = useKeys(kind, allowed);
  const [creating, setCreating] = useState(false);
  const createButton = (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      Create key
    </Button>
  );
  return (
    <>
      <PageFrame
        title={title}
        description={description}
        actions={createButton}
        query={query}
        allowed={allowed}
        noPermission={noPermission}
        loading={<TableSkeleton rows={4} />}
        empty={<Notice title="No keys">A new key ends after 90 days unless you say so.</Notice>}
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <Panel title={`${list.items.length} keys`} flush>
            <KeyTable kind={kind} label={title} rows={list.items} />
          </Panel>
        )}
      </PageFrame>
      <CreateKeyDialog kind={kind} opened={creating} onClose={() => setCreating(false)} />
    </>
  );
}
