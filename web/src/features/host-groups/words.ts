import { formatCount } from '@/ui/format';

/** "1 host", "2,000 hosts". */
export function hostCount(count: number): string {
  return count === 1 ? '1 host' : `${formatCount(count)} hosts`;
}
