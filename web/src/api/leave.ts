/** Leaves the interface for an address of this server that leads elsewhere, such as an identity provider. */
export function leaveTo(path: string): void {
  // Only our own paths: an answer can never send people to another site by itself.
  if (/^\/(?![/\\])/.test(path)) {
    window.location.assign(path);
  } else {
    window.location.assign('/login');
  }
}
