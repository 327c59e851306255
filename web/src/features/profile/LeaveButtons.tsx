import { Button, Group } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { api } from '@/api/client';
import { forgetSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';

interface LeaveButtonsProps {
  looking: boolean;
  onLook: () => void;
  /** The page has another button that goes on. */
  second?: boolean;
}

/** Looking again and signing out, for pages without the navigation. */
export function LeaveButtons({ looking, onLook, second = false }: LeaveButtonsProps) {
  const client = useQueryClient();
  const router = useRouter();
  const signOut = useMutation({
    mutationFn: () => api.post<void>('/auth/logout'),
    onSuccess: () => {
      forgetSignIn(client, 'signed-out');
      return router.navigate({ to: '/login', search: {} });
    },
  });
  return (
    <>
      {signOut.isError && <Banner tone="bad">{errorText(signOut.error)}</Banner>}
      <Group gap="xs">
        <Button variant={second ? 'default' : 'filled'} loading={looking} onClick={onLook}>
          Look again
        </Button>
        <Button variant="default" loading={signOut.isPending} onClick={() => signOut.mutate()}>
          Sign out
        </Button>
      </Group>
    </>
  );
}
