import type { FormErrors } from '@mantine/form';
import type { CreateTokenRequest, Tag } from '@/api/schema';

/** What the form holds; numbers are text while they are typed. */
export interface TokenValues {
  label: string;
  maxUses: string;
  unlimited: boolean;
  expiryDays: string;
  never: boolean;
  autoApprove: boolean;
  skipVerify: boolean;
  /** One `key=value` per line. */
  tags: string;
}

export const TOKEN_DEFAULTS: TokenValues = {
  label: '',
  maxUses: '1',
  unlimited: false,
  expiryDays: '7',
  never: false,
  autoApprove: false,
  skipVerify: false,
  tags: '',
};

const LONGEST_LABEL = 100;
const LONGEST_EXPIRY_DAYS = 365;
const LONGEST_KEY = 100;
const LONGEST_VALUE = 500;

function whole(text: string): number {
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
}

/** Tags out of lines of `key=value`; a line that is none is returned as text. */
function parseTags(text: string): (Tag | string)[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const cut = line.indexOf('=');
      const key = line.slice(0, cut).trim();
      const value = line.slice(cut + 1).trim();
      const fits =
        cut > 0 &&
        key !== '' &&
        key.length <= LONGEST_KEY &&
        value !== '' &&
        value.length <= LONGEST_VALUE;
      return fits ? { key, value } : line;
    });
}

export function checkToken(values: TokenValues): FormErrors {
  const errors: FormErrors = {};
  const label = values.label.trim();
  if (label.length < 1 || label.length > LONGEST_LABEL) {
    errors.label = 'Use 1 to 100 characters.';
  }
  if (!values.unlimited && !(whole(values.maxUses) >= 1)) {
    errors.maxUses = 'Use a whole number from 1.';
  }
  const days = whole(values.expiryDays);
  if (!values.never && !(days >= 1 && days <= LONGEST_EXPIRY_DAYS)) {
    errors.expiryDays = 'Use 1 to 365 days.';
  }
  const wrong = parseTags(values.tags).find((tag) => typeof tag === 'string');
  if (wrong) {
    errors.tags = `"${wrong}" is not key=value.`;
  }
  return errors;
}

export function tokenRequest(values: TokenValues): CreateTokenRequest {
  return {
    label: values.label.trim(),
    auto_approve: values.autoApprove,
    skip_verify: values.skipVerify,
    max_uses: values.unlimited ? null : whole(values.maxUses),
    expires_in_days: values.never ? null : whole(values.expiryDays),
    tags: parseTags(values.tags).filter((tag) => typeof tag !== 'string'),
  };
}

/** Names of the form's fields for those of the request. */
const FORM_FIELD: Record<string, keyof TokenValues> = {
  label: 'label',
  max_uses: 'maxUses',
  expires_in_days: 'expiryDays',
  auto_approve: 'autoApprove',
  skip_verify: 'skipVerify',
  tags: 'tags',
};

/** The server's field messages by form field; `tags.0.key` belongs to the tags. */
export function formMessages(messages: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [path, message] of Object.entries(messages)) {
    const field = FORM_FIELD[path.split(/[.[]/)[0] ?? ''];
    if (field) {
      found[field] ??= message;
    }
  }
  return found;
}
