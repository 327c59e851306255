import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { API_BASE } from '@/api/client';
import type { IdentityProvider, ProviderTest } from '@/api/identityProviders';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useSwitchProvider, useTestProvider } from './api';

interface ProviderPanelProps {
  provider: IdentityProvider;
  onDelete: () => void;
}

/** One provider: what its administrator needs, whether it works, and its switch. */
export function ProviderPanel({ provider, onDelete }: ProviderPanelProps) {
  const test = useTestProvider();
  const toggle = useSwitchProvider();
  const error = test.error ?? toggle.error;
  return (
    <Panel title={provider.name} aside={<Standing provider={provider} />}>
      <Stack gap="sm">
        {error && <Banner tone="bad">{errorText(error)}</Banner>}
        {!provider.licensed && (
          <Banner tone="warn">
            The licence does not cover it, so its button is not on the sign-in page.
          </Banner>
        )}
        {provider.oidc && <OidcFacts provider={provider} />}
        {provider.saml && <SamlFacts provider={provider} />}
        {test.data && <TestResult result={test.data} />}
        <Group>
          <Button
            variant="default"
            loading={test.isPending}
            aria-label={`Test ${provider.name}`}
            onClick={() => test.mutate(provider.id)}
          >
            Test
          </Button>
          <Button
            variant="default"
            loading={toggle.isPending}
            aria-label={`${provider.enabled ? 'Switch off' : 'Switch on'} ${provider.name}`}
            onClick={() => toggle.mutate({ id: provider.id, enabled: !provider.enabled })}
          >
            {provider.enabled ? 'Switch off' : 'Switch on'}
          </Button>
          <Button
            variant="default"
            color="red"
            aria-label={`Delete ${provider.name}`}
            onClick={onDelete}
          >
            Delete
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}

function Standing({ provider }: { provider: IdentityProvider }) {
  return (
    <StatusBadge tone={provider.enabled ? 'ok' : 'quiet'} label={provider.enabled ? 'On' : 'Off'} />
  );
}

function OidcFacts({ provider }: { provider: IdentityProvider }) {
  return (
    <Stack gap={2}>
      <Text size="sm">
        Issuer <code>{provider.oidc?.issuer}</code>, client <code>{provider.oidc?.client_id}</code>
      </Text>
      <Text size="sm">
        Redirect address for the provider: <code>{provider.redirect_url}</code>
      </Text>
    </Stack>
  );
}

function SamlFacts({ provider }: { provider: IdentityProvider }) {
  const trust = provider.saml;
  if (!trust) {
    return null;
  }
  return (
    <Stack gap={2}>
      <Text size="sm">
        Entity <code>{trust.entity_id}</code>
      </Text>
      <Text size="sm">
        Our entity id: <code>{trust.own_entity_id}</code>
      </Text>
      <Text size="sm">
        Our assertion consumer: <code>{trust.acs_url}</code>
      </Text>
      <Anchor size="sm" href={`${API_BASE}/auth/saml/${provider.id}/metadata`} download>
        Our metadata
      </Anchor>
      {trust.certificates.map((certificate) => (
        <Text size="sm" key={certificate.sha256}>
          Certificate <bdi>{certificate.subject}</bdi> ends{' '}
          <TimeAgo at={certificate.not_after} kind="any" />{' '}
          {certificate.ends_soon && <StatusBadge tone="warn" label="Upload new metadata" />}
        </Text>
      ))}
    </Stack>
  );
}

function TestResult({ result }: { result: ProviderTest }) {
  return (
    <Banner tone={result.passed ? 'info' : 'bad'}>
      {result.steps.map((step) => (
        <div key={step.name}>
          {step.name}: {step.detail}
        </div>
      ))}
    </Banner>
  );
}
