import { Button, Divider, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { apiUrl } from '@/api/client';
import type { OfferedMethod } from '@/api/identityProviders';
import { methodsQuery } from '@/api/session';

/** Ways to sign in that lead through another site; directories have a form of their own. */
const ROUND_TRIPS = ['oidc', 'saml'];

interface ProviderButtonsProps {
  /** Where to go on after sign-in. */
  redirect: string | undefined;
}

/** One button per identity provider; a visit to it begins the round trip. */
export function ProviderButtons({ redirect }: ProviderButtonsProps) {
  const methods: readonly OfferedMethod[] = useQuery(methodsQuery).data?.methods ?? [];
  const offered = methods.filter((method) => ROUND_TRIPS.includes(method.kind));
  if (offered.length === 0) {
    return null;
  }
  return (
    <Stack gap="sm">
      <Divider label="or" />
      {offered.map((method) => (
        <Button
          key={method.id}
          component="a"
          variant="default"
          href={apiUrl(`/auth/${method.kind}/${method.id}/start`, { return_to: redirect })}
        >
          Sign in with {method.name}
        </Button>
      ))}
    </Stack>
  );
}
