import { Stack } from '@mantine/core';
import type { PermissionExplanation } from '@/api/access';
import { Loadable } from '@/ui/Loadable';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { type Question, useExplanation } from './api';
import { reasonText } from './words';

/** The answer to "may they, and why" (users-teams-rbac 19). */
export function Explanation({ question }: { question: Question }) {
  const query = useExplanation(question);
  return (
    <Loadable query={query} loading={<TableSkeleton rows={2} />} empty={null} isEmpty={() => false}>
      {(answer) => <Answer answer={answer} onHost={question.resource !== undefined} />}
    </Loadable>
  );
}

function Answer({ answer, onHost }: { answer: PermissionExplanation; onHost: boolean }) {
  return (
    <Stack gap="xs" role="status">
      <div>
        <StatusBadge
          tone={answer.allowed ? 'ok' : 'bad'}
          label={answer.allowed ? 'Allowed' : 'Not allowed'}
        />
      </div>
      {answer.reasons.length === 0 ? (
        <div>No role that this person holds allows it.</div>
      ) : (
        <ul style={{ margin: 0, paddingInlineStart: 18 }} aria-label="Reasons">
          {answer.reasons.map((reason) => (
            <li key={`${reason.kind} ${reason.role}`}>{reasonText(reason, onHost)}</li>
          ))}
        </ul>
      )}
      {!answer.allowed && answer.reasons.some((reason) => reason.reaches) && (
        <div>The person waits for approval, so nothing is allowed yet.</div>
      )}
    </Stack>
  );
}
