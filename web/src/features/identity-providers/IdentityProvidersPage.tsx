import { Button } from '@mantine/core';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { IdentityProvider } from '@/api/identityProviders';
import { useCan } from '@/api/session';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useDeleteProvider, useProviders } from './api';
import { ProviderDialog } from './ProviderDialog';
import { ProviderPanel } from './ProviderPanel';

type Editing = { provider?: IdentityProvider };

/** Providers through which people sign in. */
export function IdentityProvidersPage() {
  const allowed = useCan('identity_providers.read');
  const mayWrite = useCan('identity_providers.write');
  const query = useProviders(allowed);
  const [editing, setEditing] = useState<Editing>();
  const [deleting, setDeleting] = useState<IdentityProvider>();
  const add = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setEditing({})}>
      Add provider
    </Button>
  );
  return (
    <>
      <PageFrame
        title="Identity providers"
        description="People sign in through them instead of with a password of their own here."
        actions={add}
        query={query}
        allowed={allowed}
        noPermission="Only administrators may see identity providers."
        loading={<TableSkeleton rows={3} />}
        empty={
          <Notice title="No identity provider yet" action={add}>
            OpenID Connect (Pro) and SAML 2.0 (Enterprise) are supported.
          </Notice>
        }
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) =>
          list.items.map((provider) => (
            <ProviderPanel
              key={provider.id}
              provider={provider}
              mayWrite={mayWrite}
              onEdit={() => setEditing({ provider })}
              onDelete={() => setDeleting(provider)}
            />
          ))
        }
      </PageFrame>
      {editing && (
        <ProviderDialog provider={editing.provider} onClose={() => setEditing(undefined)} />
      )}
      <DeleteDialog provider={deleting} onClose={() => setDeleting(undefined)} />
    </>
  );
}

interface DeleteDialogProps {
  provider: IdentityProvider | undefined;
  onClose: () => void;
}

function DeleteDialog({ provider, onClose }: DeleteDialogProps) {
  const remove = useDeleteProvider();
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={provider !== undefined}
      title="Delete identity provider?"
      confirmLabel="Delete provider"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => provider && remove.mutate(provider, { onSuccess: close })}
      onClose={close}
    >
      Nobody can sign in through <bdi>{provider?.name}</bdi> any more. Accounts stay, but are no
      longer linked with it.
    </ConfirmDialog>
  );
}
