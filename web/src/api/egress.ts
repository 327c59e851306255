/** Where outgoing connections may go, as `/settings/egress` shows it. */

export type EgressMode = 'internal' | 'public-only' | 'closed';

export interface EgressTarget {
  /** A range, an address, a host name, or a suffix such as `.corp.example`. */
  target: string;
  note: string;
}

export interface EgressPolicy {
  mode: EgressMode;
  targets: EgressTarget[];
}
