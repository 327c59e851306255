import { useQuery } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { meQuery } from '@/api/session';

const LOOK_EVERY_MS = 20_000;

/** Looks again and again whether the person is still held in this standing, and goes on when not. */
export function useHeld(standing: string) {
  const router = useRouter();
  const me = useQuery({ ...meQuery, refetchInterval: LOOK_EVERY_MS });
  const held = me.data === undefined || me.data.standing === standing;
  useEffect(() => {
    if (!held) {
      void router.navigate({ to: '/hosts', search: {}, replace: true });
    }
  }, [held, router]);
  return me;
}
