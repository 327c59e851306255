import { Anchor, Button, Group, NumberInput, Stack, Switch, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { AuditSettings } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { FieldList } from '@/ui/FieldList';
import { errorText, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { isUnlicensed, useAuditSettings, useSaveAuditSettings } from './api';
import { ForwardersPanel } from './ForwardersPanel';
import { UpgradeNotice } from './UpgradeNotice';

export function AuditSettingsPage() {
  const allowed = useCan('audit.manage');
  const query = useAuditSettings(allowed);
  const unlicensed = isUnlicensed(query.error);
  return (
    <PageFrame
      title="Retention and forwarding"
      description={
        <Anchor component={Link} to="/settings/audit">
          Back to the audit log
        </Anchor>
      }
      query={unlicensed ? { data: undefined, error: undefined, refetch: query.refetch } : query}
      allowed={allowed}
      noPermission="Only administrators may change how the audit log is kept."
      loading={unlicensed ? <UpgradeNotice /> : <TableSkeleton rows={3} />}
      empty={<Notice title="No settings" />}
      isEmpty={() => false}
    >
      {(settings) => (
        <Stack gap="lg">
          <RetentionPanel settings={settings} />
          <ForwardersPanel />
          <Panel title="Chain">
            <FieldList
              fields={[
                { name: 'Sealed events', value: settings.events_sealed.toLocaleString('en') },
                {
                  name: 'Public key of signatures',
                  value: <Copyable text={settings.public_key} label="public key" display="block" />,
                },
              ]}
            />
          </Panel>
        </Stack>
      )}
    </PageFrame>
  );
}

function RetentionPanel({ settings }: { settings: AuditSettings }) {
  const save = useSaveAuditSettings();
  const [days, setDays] = useState<number | string>(settings.retention_days);
  const [held, setHeld] = useState(settings.legal_hold !== null);
  const [reason, setReason] = useState(settings.legal_hold?.reason ?? '');
  const wrong = isProblem(save.error) ? save.error.fieldMessages() : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ retention_days: Number(days), legal_hold: held ? { reason } : null });
  };
  return (
    <Panel title="Retention">
      <form onSubmit={submit}>
        <Stack gap="md" maw={480}>
          <NumberInput
            label="Keep events for (days)"
            description="30 to 3650. Older events are removed every night; where the chain was cut is signed."
            min={30}
            max={3650}
            clampBehavior="none"
            allowDecimal={false}
            value={days}
            onChange={setDays}
            error={wrong.retention_days}
          />
          <Switch
            label="Legal hold: remove nothing"
            checked={held}
            onChange={(event) => setHeld(event.currentTarget.checked)}
          />
          {held && (
            <TextInput
              label="Reason of the hold"
              required
              maxLength={500}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
              error={wrong['legal_hold.reason']}
            />
          )}
          {settings.legal_hold && (
            <p>
              On hold since <TimeAgo at={settings.legal_hold.set_at} />, set by{' '}
              <bdi>{settings.legal_hold.set_by || 'an administrator'}</bdi>.
            </p>
          )}
          {save.error && Object.keys(wrong).length === 0 && (
            <Banner tone="bad">{errorText(save.error)}</Banner>
          )}
          <Group>
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
            {save.isSuccess && <span role="status">Saved</span>}
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
