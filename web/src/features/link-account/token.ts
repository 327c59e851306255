const KEPT = 'ctops-link-token';

/** The token of the link, or the one kept while its owner went to sign in. It stays in this tab. */
export function linkToken(hash: string): string {
  try {
    if (hash !== '') {
      sessionStorage.setItem(KEPT, hash);
      return hash;
    }
    return sessionStorage.getItem(KEPT) ?? '';
  } catch {
    return hash;
  }
}

export function forgetLinkToken(): void {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // Storage can be blocked; then nothing was kept.
  }
}
