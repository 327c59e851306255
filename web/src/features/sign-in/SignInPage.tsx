import { useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import type { SignInAnswer } from '@/api/schema';
import { localPath, rememberSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { signInRoute } from '.';
import { DirectorySignIn } from './DirectorySignIn';
import { FirstStep } from './FirstStep';
import { LegalNotice } from './LegalNotice';
import { ProviderButtons } from './ProviderButtons';
import { SecondStep } from './SecondStep';
import { ssoErrorText } from './ssoError';

/** Sign-in: a first factor, and a second one for those who have one. */
export function SignInPage() {
  const { session, notice, step, sso_error, redirect } = signInRoute.useSearch();
  const client = useQueryClient();
  const router = useRouter();
  const [second, setSecond] = useState(step === 'second_factor');
  const [ended, setEnded] = useState(false);
  const goOn = (answer: SignInAnswer) => {
    if (answer.status === 'second_factor') {
      setEnded(false);
      setSecond(true);
      return;
    }
    rememberSignIn(client, answer.me);
    router.history.push(localPath(redirect));
  };
  const beginAnew = (why: 'ended' | 'chosen') => {
    setEnded(why === 'ended');
    setSecond(false);
  };
  return second ? (
    <CentredPage title="Second factor">
      <SecondStep onAnswer={goOn} onBeginAnew={beginAnew} />
    </CentredPage>
  ) : (
    <CentredPage title="Sign in">
      {sso_error !== undefined && !ended && <Banner tone="bad">{ssoErrorText(sso_error)}</Banner>}
      <FirstStep
        notice={ended ? 'step_ended' : session === 'expired' ? 'session_ended' : notice}
        onAnswer={goOn}
      />
      <DirectorySignIn onAnswer={goOn} />
      <ProviderButtons redirect={redirect} />
      <LegalNotice />
    </CentredPage>
  );
}
