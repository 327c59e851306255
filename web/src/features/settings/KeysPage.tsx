import { Skeleton } from '@mantine/core';
import { useCan } from '@/api/session';
import type { SettingsPage } from '@/api/settings';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { usePage } from './api';
import { HistoryPanel } from './HistoryPanel';
import { settingsPageRoute } from './index';
import { KeysForm } from './KeysForm';

/** A page that is a form over its keys. */
export function KeysPage() {
  const { page } = settingsPageRoute.useParams();
  const { key } = settingsPageRoute.useSearch();
  const allowed = useCan('settings.read');
  const query = usePage(page, allowed);
  return (
    <PageFrame
      title={query.data?.title ?? 'Settings'}
      query={query}
      allowed={allowed}
      noPermission="You may not see settings."
      loading={<Skeleton height={320} />}
      empty={<Notice title="There is no such page of settings" />}
      // Some addresses below /settings of the API are no pages of keys.
      isEmpty={(shown: Partial<SettingsPage>) => !shown.keys?.length}
    >
      {(shown) => (
        <>
          <KeysForm key={shown.name} page={shown} marked={key} />
          <HistoryPanel page={shown} />
        </>
      )}
    </PageFrame>
  );
}
