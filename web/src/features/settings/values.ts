import type { SettingsKey } from '@/api/settings';

/** A value as people read it. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined || value === '') {
    return 'empty';
  }
  if (typeof value === 'boolean') {
    return value ? 'on' : 'off';
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? 'empty' : value.join(', ');
  }
  return String(value);
}

const CHOICES: Record<string, string> = {
  invite_only: 'By invitation',
  approval: 'With approval',
  en: 'English',
  iso: 'ISO',
  mon: 'Monday',
  sat: 'Saturday',
  sun: 'Sunday',
  starttls: 'STARTTLS',
  tls: 'TLS',
};

/** A word of a choice as people read it; words that are not known are told with a capital. */
export function choiceLabel(word: string): string {
  const plain = word.replaceAll('_', ' ');
  return CHOICES[word] ?? plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** The description of a key, in which choices are called as in the list below it. */
export function aboutText(key: SettingsKey): string {
  return (key.choices ?? []).reduce(
    (text, word) => text.replaceAll(new RegExp(`\\b${word}\\b`, 'g'), choiceLabel(word)),
    key.about,
  );
}

/** "1 to 30", for the line below a field. */
export function rangeText(key: SettingsKey): string | undefined {
  if (key.type !== 'integer' || key.least === null || key.most === null) {
    return undefined;
  }
  return `${key.least} to ${key.most}`;
}

/** Whether a key is what somebody typed looks for, in name, label or description. */
export function matches(key: SettingsKey, wanted: string): boolean {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${key.name} ${key.title} ${key.about}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
