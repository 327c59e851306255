import type { HostDetail } from '@/api/schema';
import { ActivityPanel } from '@/features/audit';

export function ActivityTab({ host }: { host: HostDetail }) {
  return <ActivityPanel targetType="host" targetId={host.id} />;
}
