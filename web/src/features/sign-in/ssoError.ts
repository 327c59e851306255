const TEXTS: Record<string, string> = {
  sign_in_replayed:
    'This sign-in was used already, took too long, or began in another browser. Begin again.',
  sso_failed: 'The identity provider gave no usable answer. Try again, or ask your administrator.',
  sso_refused:
    'Your identity provider signed you in, but you may not come in here. Ask your administrator.',
  sso_no_subject:
    'Your identity provider does not say who you are for good. Tell your administrator.',
  not_found: 'This identity provider is not offered any more.',
};

/** Why a round trip through an identity provider ended on the sign-in page. */
export function ssoErrorText(code: string): string {
  return TEXTS[code] ?? 'Signing in through the identity provider failed. Try again.';
}
