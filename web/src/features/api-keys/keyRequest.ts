import type { NewApiKeyRequest, NewServiceKeyRequest } from '@/api/schema';
import type { KeyKind } from './api';

export interface KeyValues {
  name: string;
  role: string;
  scopes: string[];
  networks: string;
  hostGroups: string[];
  expiryDays: string;
}

export const KEY_DEFAULTS: KeyValues = {
  name: '',
  role: 'read_only',
  scopes: [],
  networks: '',
  hostGroups: [],
  expiryDays: '90',
};

const LONGEST_DAYS = 365;

/** What can be said before the server is asked. */
export function checkKey(values: KeyValues): Partial<Record<keyof KeyValues, string>> {
  const errors: Partial<Record<keyof KeyValues, string>> = {};
  if (values.name.trim().length < 2) {
    errors.name = 'Give the key a name of at least two characters.';
  }
  if (values.scopes.length === 0) {
    errors.scopes = 'Choose at least one permission.';
  }
  const days = Number(values.expiryDays);
  if (!Number.isInteger(days) || days < 1 || days > LONGEST_DAYS) {
    errors.expiryDays = `A whole number from 1 to ${LONGEST_DAYS}.`;
  }
  return errors;
}

export function keyRequest(
  kind: KeyKind,
  values: KeyValues,
): NewApiKeyRequest | NewServiceKeyRequest {
  const networks = values.networks.split(/[\s,]+/).filter((network) => network !== '');
  const request: NewApiKeyRequest = {
    name: values.name.trim(),
    scopes: values.scopes,
    allowed_networks: networks.length === 0 ? null : networks,
    expires_in_days: Number(values.expiryDays),
    ...(values.hostGroups.length > 0 && { host_groups: values.hostGroups }),
  };
  return kind === 'service' ? { ...request, role: values.role } : request;
}

/** Messages of the server under the names of the form. */
export function formMessages(messages: Record<string, string>): Record<string, string> {
  const names: Record<string, keyof KeyValues> = {
    name: 'name',
    role: 'role',
    scopes: 'scopes',
    allowed_networks: 'networks',
    host_groups: 'hostGroups',
    expires_in_days: 'expiryDays',
  };
  const found: Record<string, string> = {};
  for (const [path, message] of Object.entries(messages)) {
    const name = names[path];
    if (name) {
      found[name] = message;
    }
  }
  return found;
}
