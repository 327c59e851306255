import { NativeSelect } from '@mantine/core';
import { useMe } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useOrganisations, useSwitchOrganisation } from './api';

/** The organisation acted in; a choice for people who belong to several. */
export function OrganisationSwitch({ className }: { className?: string }) {
  const me = useMe();
  const own = useOrganisations().data?.items ?? [];
  const change = useSwitchOrganisation();
  if (!me) {
    return null;
  }
  if (own.length < 2) {
    return <bdi className={className}>{me.organisation.name}</bdi>;
  }
  return (
    <>
      <NativeSelect
        size="xs"
        aria-label="Organisation"
        value={me.organisation.id}
        disabled={change.isPending}
        onChange={(event) => change.mutate(event.currentTarget.value)}
        data={own.map((one) => ({
          value: one.id,
          label: one.pending ? `${one.name} (waits for approval)` : one.name,
        }))}
      />
      {change.isError && <Banner tone="bad">{errorText(change.error)}</Banner>}
    </>
  );
}
