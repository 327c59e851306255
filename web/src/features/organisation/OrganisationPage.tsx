import { useCan } from '@/api/session';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useOrganisation } from './api';
import { CreateOrganisation } from './CreateOrganisation';
import { DeletedOrganisations } from './DeletedOrganisations';
import { DeleteOrganisation } from './DeleteOrganisation';
import { LogoField } from './LogoField';
import { OrganisationForm } from './OrganisationForm';

/** The organisation acted in. */
export function OrganisationPage() {
  const allowed = useCan('organisation.write');
  const manages = useCan('organisations.manage');
  const query = useOrganisation(allowed);
  return (
    <PageFrame
      title="Organisations"
      description="The organisation you act in, and others you make."
      query={query}
      allowed={allowed}
      noPermission="Only administrators may change the organisation."
      loading={<TableSkeleton rows={3} />}
      empty={<Notice title="No organisation" />}
      isEmpty={() => false}
    >
      {(organisation) => (
        <>
          <Panel title="About">
            <OrganisationForm key={organisation.id} organisation={organisation} />
          </Panel>
          <Panel title="Logo">
            <LogoField organisation={organisation} />
          </Panel>
          {manages && (
            <>
              <Panel title="Another organisation">
                <CreateOrganisation />
              </Panel>
              <DeletedOrganisations />
              <Panel title="Delete">
                <DeleteOrganisation organisation={organisation} />
              </Panel>
            </>
          )}
        </>
      )}
    </PageFrame>
  );
}
