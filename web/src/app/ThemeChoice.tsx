import { type MantineColorScheme, useMantineColorScheme } from '@mantine/core';
import { Monitor, Moon, Sun } from 'lucide-react';
import classes from './ThemeChoice.module.css';

const CHOICES = [
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
  { value: 'auto', label: 'System', icon: Monitor },
] as const;

/** Light, dark, or what the system says; remembered in this browser. */
export function ThemeChoice() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <fieldset className={classes.choices}>
      <legend className="visually-hidden">Theme</legend>
      {CHOICES.map(({ value, label, icon: Icon }) => (
        <button
          key={value}
          type="button"
          className={classes.choice}
          aria-pressed={colorScheme === value}
          title={`${label} theme`}
          onClick={() => setColorScheme(value satisfies MantineColorScheme)}
        >
          <Icon size={15} aria-hidden="true" />
          <span className="visually-hidden">{label}</span>
        </button>
      ))}
    </fieldset>
  );
}
