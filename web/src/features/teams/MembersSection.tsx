import { Button, Group, Select, Stack } from '@mantine/core';
import { useState } from 'react';
import type { TeamDetail, TeamMemberPreview } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { formatCount } from '@/ui/format';
import { errorText } from '@/ui/Notice';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { type TeamAction, useCandidates, usePreview } from './api';

const SEARCH_DELAY_MS = 250;

interface MembersSectionProps {
  team: TeamDetail;
  manages: boolean;
  onAction: (action: TeamAction) => void;
}

/** Who joins or leaves, with what that does to what they see. */
interface Candidate {
  userId: string;
  name: string;
  joins: boolean;
}

export function MembersSection({ team, manages, onAction }: MembersSectionProps) {
  const [candidate, setCandidate] = useState<Candidate>();
  const mayChoose = useCan('users.read') && manages;
  return (
    <section aria-label="Members">
      <Stack gap="xs">
        <h3>Members</h3>
        {team.members.length === 0 && <div>Nobody yet.</div>}
        {team.members.map((member) => (
          <Group key={member.id} justify="space-between">
            <span>
              <bdi>{member.name}</bdi>
              {member.id === team.lead?.id && ' (lead)'}
            </span>
            {manages && (
              <Button
                size="compact-xs"
                variant="default"
                aria-label={`Take ${member.name} out`}
                onClick={() => setCandidate({ userId: member.id, name: member.name, joins: false })}
              >
                Take out
              </Button>
            )}
          </Group>
        ))}
        {mayChoose && <MemberChoice team={team} onChoose={setCandidate} />}
      </Stack>
      <EffectDialog
        team={team}
        candidate={candidate}
        onAction={onAction}
        onClose={() => setCandidate(undefined)}
      />
    </section>
  );
}

function MemberChoice({
  team,
  onChoose,
}: {
  team: TeamDetail;
  onChoose: (candidate: Candidate) => void;
}) {
  const [search, setSearch] = useState('');
  const [text, type] = useDebouncedText(search, SEARCH_DELAY_MS, (next) => setSearch(next ?? ''));
  const found = useCandidates(search);
  const inTeam = new Set(team.members.map((member) => member.id));
  const people = (found.data?.items ?? []).filter((user) => !inTeam.has(user.id));
  return (
    <Select
      label="Add somebody"
      placeholder="Name or address"
      searchable
      value={null}
      searchValue={text}
      onSearchChange={type}
      data={people.map((user) => ({ value: user.id, label: `${user.name} (${user.email})` }))}
      filter={({ options }) => options}
      nothingFoundMessage="Nobody matches"
      onChange={(userId) => {
        const user = people.find((person) => person.id === userId);
        if (user) {
          onChoose({ userId: user.id, name: user.name, joins: true });
        }
      }}
    />
  );
}

interface EffectDialogProps {
  team: TeamDetail;
  candidate: Candidate | undefined;
  onAction: (action: TeamAction) => void;
  onClose: () => void;
}

function EffectDialog({ team, candidate, onAction, onClose }: EffectDialogProps) {
  const preview = usePreview(team.id, candidate?.userId, candidate?.joins ?? true);
  const confirm = () => {
    if (candidate && preview.data) {
      onAction({
        kind: candidate.joins ? 'join' : 'leave',
        id: team.id,
        userId: candidate.userId,
        // The dialog showed what is gained, so this is the word that is asked for.
        confirmed: preview.data.widens,
      });
      onClose();
    }
  };
  return (
    <ConfirmDialog
      opened={candidate !== undefined}
      title={candidate?.joins ? 'Add to the team?' : 'Take out of the team?'}
      confirmLabel={candidate?.joins ? 'Add' : 'Take out'}
      danger={preview.data?.widens}
      pending={preview.isPending}
      error={undefined}
      onConfirm={confirm}
      onClose={onClose}
    >
      <bdi>{candidate?.name}</bdi>
      {preview.isError && <Banner tone="bad">{errorText(preview.error)}</Banner>}
      {preview.data && <p>{effectText(preview.data)}</p>}
    </ConfirmDialog>
  );
}

function hosts(count: number): string {
  return count === 1 ? '1 host' : `${formatCount(count)} hosts`;
}

/** What a person sees more or less afterwards, in one sentence. */
export function effectText(effect: TeamMemberPreview): string {
  if (!effect.scoped) {
    return 'Administrators see every host, whatever their teams.';
  }
  if (effect.sees_all_after && !effect.sees_all_before) {
    return `Will see every host of the organisation: ${hosts(effect.hosts_gained)} more than now.`;
  }
  const parts = [
    effect.hosts_gained > 0 ? `gains sight of ${hosts(effect.hosts_gained)}` : '',
    effect.hosts_lost > 0 ? `loses sight of ${hosts(effect.hosts_lost)}` : '',
  ].filter(Boolean);
  if (parts.length > 0) {
    return `The person ${parts.join(' and ')}.`;
  }
  return effect.widens
    ? 'Will see more host groups, which have no further hosts now.'
    : 'Nothing changes in what the person sees.';
}
