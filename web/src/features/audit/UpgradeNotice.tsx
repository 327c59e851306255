import { UpgradeRequired } from '@/features/licence';

/** Stands in for the audit log where the licence does not contain it; recording goes on. */
export function UpgradeNotice() {
  return <UpgradeRequired tier="pro" what="Looking at what is recorded in the audit log" />;
}
