import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import type { Running } from './start';
import { cssVariables, theme } from './theme';

interface AppProps {
  running: Running;
  /** Nonce of this answer's content security policy, for generated style elements. */
  styleNonce?: string;
  env?: 'default' | 'test';
}

export function App({ running, styleNonce, env = 'default' }: AppProps) {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      getStyleNonce={() => styleNonce ?? ''}
      env={env}
    >
      <Notifications position="bottom-right" autoClose={5_000} limit={3} />
      <QueryClientProvider client={running.queryClient}>
        <RouterProvider router={running.router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
