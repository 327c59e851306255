import type { Facet } from '@/api/schema';

export interface FoldedFacets {
  listed: Facet[];
  /** How many values are not listed, and on how many hosts they are. */
  others: { values: number; hosts: number } | undefined;
}

const LISTED = 4;

/** What the list is filtered by for hosts that never named their value. */
const UNKNOWN = 'unknown';

export function facetFilter(facet: Facet): string {
  return facet.value ?? UNKNOWN;
}

/** The largest four, and the rest as one sum. */
export function foldFacets(facets: readonly Facet[]): FoldedFacets {
  const sorted = [...facets].sort((a, b) => b.count - a.count);
  const rest = sorted.slice(LISTED);
  return {
    listed: sorted.slice(0, LISTED),
    others:
      rest.length === 0
        ? undefined
        : { values: rest.length, hosts: rest.reduce((sum, facet) => sum + facet.count, 0) },
  };
}
