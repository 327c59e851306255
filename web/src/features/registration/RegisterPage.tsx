import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { methodsQuery } from '@/api/session';
import { ResendAction } from '@/features/verification';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { useRegister } from './api';
import { RegisterForm } from './RegisterForm';

/** Asks for an account. What it says afterwards does not depend on whether there is one already (auth 4). */
export function RegisterPage() {
  const register = useRegister();
  const mustVerify = useQuery(methodsQuery).data?.email_verification_required ?? true;
  const asked = register.isSuccess ? register.variables : undefined;
  return (
    <CentredPage
      title={asked ? 'Almost there' : 'Create an account'}
      description={asked ? undefined : 'An administrator lets new people in.'}
    >
      {asked ? (
        <>
          <Banner tone="info">
            A letter is on its way to <bdi>{asked.email}</bdi>.{' '}
            {mustVerify
              ? 'Open its link within 24 hours; then an administrator has to let you in.'
              : 'An administrator has to let you in; you can sign in and wait.'}
          </Banner>
          {mustVerify && <ResendAction credentials={asked} />}
        </>
      ) : (
        <RegisterForm
          pending={register.isPending}
          error={register.error}
          onSubmit={(request, onRefused) => register.mutate(request, { onError: onRefused })}
        />
      )}
      <Anchor component={Link} to="/login" size="sm">
        Back to sign-in
      </Anchor>
    </CentredPage>
  );
}
