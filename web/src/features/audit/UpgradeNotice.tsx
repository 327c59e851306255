import { Notice } from '@/ui/Notice';

/** Stands in for the audit log where the licence does not contain it. */
export function UpgradeNotice() {
  return (
    <Notice title="Upgrade required">
      Events are recorded in every tier. Viewing, exporting and keeping them longer needs Pro; with
      it everything that was recorded so far becomes visible.
    </Notice>
  );
}
