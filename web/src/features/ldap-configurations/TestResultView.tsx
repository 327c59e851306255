import type { LdapTestResult, LdapTestStep } from '@/api/directory';
import { TargetOffer } from '@/features/internal-targets';
import { FieldList } from '@/ui/FieldList';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';

const STEPS: Record<LdapTestStep['step'], string> = {
  resolve: 'Find the server',
  connect: 'Connect',
  tls: 'Secure the connection',
  bind: 'Sign the service account in',
  search: 'Search',
};

interface TestResultViewProps {
  result: LdapTestResult;
  /** Tests once more. */
  onRetry: () => void;
}

/** What a test found, server by server and step by step. */
export function TestResultView({ result, onRetry }: TestResultViewProps) {
  return (
    <div role="status">
      {result.servers.map((server) => (
        <Panel
          key={server.server}
          title={server.server}
          aside={
            <StatusBadge
              tone={server.ok ? 'ok' : 'bad'}
              label={server.ok ? 'Test passed' : 'Test failed'}
            />
          }
        >
          <FieldList
            fields={[
              ...server.steps.map((step) => ({
                name: STEPS[step.step],
                value: step.ok ? `${step.ms} ms` : `failed: ${step.detail ?? ''}`,
              })),
              ...(server.certificate
                ? [
                    {
                      name: 'Certificate',
                      value: `${server.certificate.subject}, until ${server.certificate.not_after}`,
                    },
                  ]
                : []),
              ...(server.entries === null
                ? []
                : [{ name: 'Entries found', value: String(server.entries) }]),
            ]}
          />
          {server.needs_target && <TargetOffer host={server.needs_target} onAdded={onRetry} />}
        </Panel>
      ))}
    </div>
  );
}
