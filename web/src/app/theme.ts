import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const brand: MantineColorsTuple = [
  '#eef3fd',
  '#dbe5fa',
  '#b7caf4',
  '#8fadee',
  '#6f94e8',
  '#5a83e3',
  '#3f6bd6',
  '#2b59c3',
  '#244ba6',
  '#1c3c86',
];

const danger: MantineColorsTuple = [
  '#fdeeec',
  '#fad9d6',
  '#f4b3ad',
  '#ee8a81',
  '#e5695e',
  '#d94a3f',
  '#c63529',
  '#b3261e',
  '#961e17',
  '#78160f',
];

/** Greys of the dark scheme, from text to ground, in the hue of the palette in theme.css. */
const dark: MantineColorsTuple = [
  '#e4e9f0',
  '#b9c3d0',
  '#9aa6b6',
  '#5d6a7b',
  '#3b4655',
  '#1c242e',
  '#151b23',
  '#0e1319',
  '#0a0e13',
  '#06090c',
];

export const theme = createTheme({
  primaryColor: 'brand',
  primaryShade: 7,
  colors: { brand, danger, dark },
  fontFamily: '"Inter", "Inter fallback", system-ui, sans-serif',
  fontFamilyMonospace: '"JetBrains Mono", ui-monospace, monospace',
  // One size for running text and fields, as in theme.css; Mantine's own middle size is 16 px.
  fontSizes: { md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: { fontWeight: '600' },
  defaultRadius: 'md',
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
  },
});

/** Mantine's variables in terms of the palette in theme.css, which has the contrast checked. */
const shared = {
  '--mantine-color-body': 'var(--ground)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-bright': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text-dim)',
  '--mantine-color-anchor': 'var(--accent)',
  '--mantine-color-placeholder': 'var(--text-dim)',
  '--mantine-color-error': 'var(--bad)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-hover': 'var(--surface-sunken)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--line-strong)',
};

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: shared,
  dark: {
    ...shared,
    '--mantine-color-disabled': 'var(--surface-sunken)',
    '--mantine-color-disabled-color': 'var(--quiet-mark)',
    '--mantine-color-disabled-border': 'var(--line)',
    '--mantine-color-brand-light': 'var(--accent-soft)',
    '--mantine-color-brand-light-color': 'var(--accent)',
    '--mantine-color-brand-outline': 'var(--accent)',
    '--mantine-color-danger-light': 'var(--bad-soft)',
    '--mantine-color-danger-light-color': 'var(--bad)',
    '--mantine-color-danger-outline': 'var(--bad)',
  },
});
