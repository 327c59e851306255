import { Anchor, Button, Group, Stack } from '@mantine/core';
import { API_BASE } from '@/api/client';
import type { IdentityProvider, ProviderCertificate, ProviderTest } from '@/api/identityProviders';
import { TargetOffer } from '@/features/internal-targets';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { type Field, FieldList } from '@/ui/FieldList';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TimeAgo } from '@/ui/TimeAgo';
import { useSwitchProvider, useTestProvider } from './api';

interface ProviderPanelProps {
  provider: IdentityProvider;
  mayWrite: boolean;
  onEdit: () => void;
  onDelete: () => void;
}

/** One provider: what its administrator needs, whether it works, and its switch. */
export function ProviderPanel({ provider, mayWrite, onEdit, onDelete }: ProviderPanelProps) {
  const test = useTestProvider();
  const toggle = useSwitchProvider();
  const error = test.error ?? toggle.error;
  const tryOut = () => test.mutate(provider.id);
  return (
    <Panel title={provider.name} aside={<Standing provider={provider} />}>
      <Stack gap="sm">
        {error && <Banner tone="bad">{errorText(error)}</Banner>}
        {!provider.licensed && (
          <Banner tone="warn">
            The licence does not cover it, so its button is not on the sign-in page.
          </Banner>
        )}
        <FieldList fields={provider.saml ? samlFacts(provider) : oidcFacts(provider)} />
        {provider.saml && (
          <Anchor size="sm" href={`${API_BASE}/auth/saml/${provider.id}/metadata`} download>
            Our metadata
          </Anchor>
        )}
        {test.data && <TestResult result={test.data} />}
        {test.data?.needs_target && <TargetOffer host={test.data.needs_target} onAdded={tryOut} />}
        {mayWrite && (
          <Group gap="xs">
            <Action verb="Edit" name={provider.name} onClick={onEdit} />
            <Action verb="Test" name={provider.name} loading={test.isPending} onClick={tryOut} />
            <Action
              verb={provider.enabled ? 'Switch off' : 'Switch on'}
              name={provider.name}
              loading={toggle.isPending}
              onClick={() => toggle.mutate({ id: provider.id, enabled: !provider.enabled })}
            />
            <Action verb="Delete" name={provider.name} onClick={onDelete} />
          </Group>
        )}
      </Stack>
    </Panel>
  );
}

interface ActionProps {
  verb: string;
  name: string;
  loading?: boolean;
  onClick: () => void;
}

function Action({ verb, name, loading = false, onClick }: ActionProps) {
  return (
    <Button variant="default" loading={loading} aria-label={`${verb} ${name}`} onClick={onClick}>
      {verb}
    </Button>
  );
}

function Standing({ provider }: { provider: IdentityProvider }) {
  return (
    <StatusBadge tone={provider.enabled ? 'ok' : 'quiet'} label={provider.enabled ? 'On' : 'Off'} />
  );
}

function oidcFacts({ oidc, redirect_url, secret_set_at }: IdentityProvider): Field[] {
  return [
    { name: 'Issuer', value: <bdi>{oidc?.issuer}</bdi> },
    { name: 'Client id', value: <bdi>{oidc?.client_id}</bdi> },
    { name: 'Client secret set', value: <TimeAgo at={secret_set_at} /> },
    {
      name: 'Redirect address for the provider',
      value: <Copyable text={redirect_url ?? ''} label="redirect address" />,
    },
  ];
}

function samlFacts({ saml }: IdentityProvider): Field[] {
  if (!saml) {
    return [];
  }
  return [
    { name: 'Entity', value: <bdi>{saml.entity_id}</bdi> },
    {
      name: 'Our entity id',
      value: <Copyable text={saml.own_entity_id} label="our entity id" />,
    },
    {
      name: 'Our assertion consumer',
      value: <Copyable text={saml.acs_url} label="our assertion consumer" />,
    },
    ...saml.certificates.map((certificate, at) => ({
      name: saml.certificates.length > 1 ? `Certificate ${at + 1}` : 'Certificate',
      value: <Certificate certificate={certificate} />,
    })),
  ];
}

function Certificate({ certificate }: { certificate: ProviderCertificate }) {
  const ended = Date.parse(certificate.not_after) <= Date.now();
  return (
    <span>
      <bdi>{certificate.subject}</bdi>, {ended ? 'ended' : 'ends'}{' '}
      <TimeAgo at={certificate.not_after} kind="any" />{' '}
      {certificate.ends_soon && (
        <StatusBadge tone={ended ? 'bad' : 'warn'} label="Upload new metadata" />
      )}
    </span>
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
