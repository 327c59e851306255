/** One line of a comparison: the path of a value, and what it was and is. */
export interface Difference {
  path: string;
  before: string | undefined;
  after: string | undefined;
}

function flatten(value: unknown, path: string, found: Map<string, string>): void {
  if (value === undefined || value === null) {
    if (path !== '' && value === null) {
      found.set(path, '–');
    }
    return;
  }
  if (typeof value === 'object' && Object.keys(value).length > 0) {
    for (const [name, member] of Object.entries(value)) {
      flatten(member, path === '' ? name : `${path}.${name}`, found);
    }
    return;
  }
  found.set(
    path === '' ? 'value' : path,
    typeof value === 'string' ? value : JSON.stringify(value),
  );
}

/** What differs between two states, in the order of the paths; equal values are left out. */
export function differences(before: unknown, after: unknown): Difference[] {
  const was = new Map<string, string>();
  const is = new Map<string, string>();
  flatten(before, '', was);
  flatten(after, '', is);
  return [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .map((path) => ({ path, before: was.get(path), after: is.get(path) }))
    .filter((line) => line.before !== line.after);
}
