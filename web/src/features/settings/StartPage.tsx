import { Anchor, Button, Skeleton, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Search } from 'lucide-react';
import { useState } from 'react';
import { useCan } from '@/api/session';
import type { SettingsPageSummary } from '@/api/settings';
import { Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { useExport, usePages } from './api';
import { ImportDialog } from './ImportDialog';
import classes from './StartPage.module.css';
import { aboutText, matches } from './values';

/** Finds keys on all pages by name, label or description. */
export function StartPage() {
  const allowed = useCan('settings.read');
  const writes = useCan('settings.write');
  const query = usePages(allowed);
  const [wanted, setWanted] = useState('');
  const [importing, setImporting] = useState(false);
  const exporting = useExport();
  return (
    <PageFrame
      title="Settings"
      description="Every key of every page; type to find one."
      query={query}
      allowed={allowed}
      noPermission="You may not see settings."
      actions={
        <>
          <Button
            variant="default"
            loading={exporting.isPending}
            onClick={() => exporting.mutate()}
          >
            Export
          </Button>
          {writes && (
            <Button variant="default" onClick={() => setImporting(true)}>
              Import
            </Button>
          )}
        </>
      }
      loading={<Skeleton height={200} />}
      empty={<Notice title="No settings" />}
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => (
        <>
          <TextInput
            maw={480}
            leftSection={<Search size={15} aria-hidden="true" />}
            aria-label="Search settings"
            placeholder="Search settings"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
          <Found pages={list.items} wanted={wanted} />
          {importing && <ImportDialog onClose={() => setImporting(false)} />}
        </>
      )}
    </PageFrame>
  );
}

function Found({ pages, wanted }: { pages: readonly SettingsPageSummary[]; wanted: string }) {
  const found = pages
    .map((page) => ({ page, keys: page.keys.filter((key) => matches(key, wanted)) }))
    .filter(({ keys }) => keys.length > 0);
  if (found.length === 0) {
    return <Notice title="No setting matches">Try another word.</Notice>;
  }
  return found.map(({ page, keys }) => (
    <Panel key={page.name} title={page.title}>
      <ul className={classes.keys}>
        {keys.map((key) => (
          <li key={key.name}>
            <Anchor
              component={Link}
              to="/settings/$page"
              params={{ page: page.name } as never}
              search={{ key: key.name } as never}
            >
              {key.title}
            </Anchor>
            <span className={classes.about}>{aboutText(key)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  ));
}
