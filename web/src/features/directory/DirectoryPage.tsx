import { Button, Select, Stack, TextInput, UnstyledButton } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { DirectoryChoice, DirectoryMatch } from '@/api/directory';
import { useCan } from '@/api/session';
import { ErrorNotice, Notice } from '@/ui/Notice';
import { PageFrame } from '@/ui/PageFrame';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { directoryRoute } from '.';
import { LEAST_CHARS, useDirectories, useMatches } from './api';
import classes from './DirectoryPage.module.css';
import { RecordView } from './RecordView';

const TYPING_RESTS_MS = 300;

/** Finds one person in a directory and shows the record as it is now. */
export function DirectoryPage() {
  const allowed = useCan('directory.lookup');
  const query = useDirectories(allowed);
  return (
    <PageFrame
      title="Directory"
      description="Look somebody up. Records are read live and kept nowhere."
      query={query}
      allowed={allowed}
      noPermission="You may not look people up."
      loading={<TableSkeleton rows={2} />}
      empty={<NoDirectories />}
      isEmpty={(list) => list.items.length === 0}
    >
      {(list) => <LookUp directories={list.items} />}
    </PageFrame>
  );
}

function NoDirectories() {
  const mayAdd = useCan('ldap_configurations.write');
  return (
    <Notice
      title="No directory yet"
      action={
        mayAdd && (
          <Button component={Link} to="/settings/directories" variant="default">
            Add a directory
          </Button>
        )
      }
    >
      People can be looked up as soon as an administrator has connected an LDAP directory.
    </Notice>
  );
}

function LookUp({ directories }: { directories: readonly DirectoryChoice[] }) {
  const search = directoryRoute.useSearch();
  const navigate = directoryRoute.useNavigate();
  const [committed, setCommitted] = useState('');
  const [text, type] = useDebouncedText(committed, TYPING_RESTS_MS, (typed) =>
    setCommitted(typed ?? ''),
  );
  const chosen = directories.find((one) => one.id === search.in) ?? directories[0];
  const directory = chosen?.id ?? '';
  const open = (dn: string | undefined) => navigate({ search: { in: directory, dn } });
  return (
    <Stack gap="md">
      <div className={classes.form}>
        {directories.length > 1 && (
          <Select
            label="Directory"
            data={directories.map((one) => ({ value: one.id, label: one.name }))}
            value={directory}
            allowDeselect={false}
            onChange={(id) => navigate({ search: { in: id ?? undefined } })}
          />
        )}
        <TextInput
          type="search"
          label="Name, username or email"
          description={`Begin to type: at least ${LEAST_CHARS} characters.`}
          maxLength={128}
          autoComplete="off"
          value={text}
          onChange={(event) => type(event.currentTarget.value)}
        />
      </div>
      {committed.length >= LEAST_CHARS && (
        <Matches directory={directory} text={committed} onOpen={open} openDn={search.dn} />
      )}
      {search.dn && (
        <RecordView key={search.dn} directory={directory} dn={search.dn} searched={committed} />
      )}
    </Stack>
  );
}

interface MatchesProps {
  directory: string;
  text: string;
  openDn: string | undefined;
  onOpen: (dn: string) => void;
}

function Matches({ directory, text, openDn, onOpen }: MatchesProps) {
  const query = useMatches(directory, text);
  if (query.isError) {
    return <ErrorNotice error={query.error} onRetry={() => query.refetch()} />;
  }
  if (!query.data) {
    return <TableSkeleton rows={3} />;
  }
  const { items, more } = query.data;
  if (items.length === 0) {
    return (
      <Notice title="Nobody found">{`Nobody in this directory begins with “${text}”.`}</Notice>
    );
  }
  return (
    <Panel title="Matches" flush>
      <ul className={classes.matches} aria-label="Matches">
        {items.map((match) => (
          <li key={match.dn}>
            <Match match={match} open={match.dn === openDn} onOpen={onOpen} />
          </li>
        ))}
      </ul>
      {more && <p className={classes.more}>There are more. Type on to narrow the search.</p>}
    </Panel>
  );
}

interface MatchProps {
  match: DirectoryMatch;
  open: boolean;
  onOpen: (dn: string) => void;
}

function Match({ match, open, onOpen }: MatchProps) {
  const about = [match.username, match.email].filter(Boolean).join(' · ');
  return (
    <UnstyledButton
      className={classes.match}
      aria-current={open || undefined}
      onClick={() => onOpen(match.dn)}
    >
      <strong>
        <bdi>{match.display_name}</bdi>
      </strong>
      <span className={classes.about}>
        <bdi>{about}</bdi>
      </span>
    </UnstyledButton>
  );
}
