import { createTheme, type MantineColorsTuple } from '@mantine/core'

/** A calm cyan that does not compete with grey images. */
const filmless: MantineColorsTuple = [
  '#e6f8fa',
  '#d0edf1',
  '#a3dbe3',
  '#73c8d4',
  '#4db8c8',
  '#35aec0',
  '#23a0b3',
  '#0a7e90',
  '#007887',
  '#006472',
]

/** Nearly neutral greys, slightly cool; 8 is the page, 7 a surface, 9 the ground of images. */
const dark: MantineColorsTuple = [
  '#d5dade',
  '#b3bac0',
  '#949ca3',
  '#6c757d',
  '#434b52',
  '#353c42',
  '#272d32',
  '#1b2024',
  '#13171a',
  '#0b0e10',
]

/** Mantine's red, but for 7: white words on it have the contrast that they need. */
const red: MantineColorsTuple = [
  '#fff5f5',
  '#ffe3e3',
  '#ffc9c9',
  '#ffa8a8',
  '#ff8787',
  '#ff6b6b',
  '#fa5252',
  '#dc2f2f',
  '#d92c2c',
  '#c92a2a',
]

export const theme = createTheme({
  primaryColor: 'filmless',
  primaryShade: { light: 8, dark: 7 },
  colors: { filmless, dark, red },
  autoContrast: true,
  defaultRadius: 'sm',
  fontFamily:
    'Inter, "Segoe UI", Roboto, "Helvetica Neue", "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif',
  fontFamilyMonospace: '"JetBrains Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.25rem' },
  spacing: { xs: '0.375rem', sm: '0.5rem', md: '0.75rem', lg: '1rem', xl: '1.5rem' },
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.25rem' }, h2: { fontSize: '1.0625rem' }, h3: { fontSize: '0.9375rem' } } },
  components: {
    TextInput: { defaultProps: { size: 'xs' } },
    PasswordInput: { defaultProps: { size: 'xs' } },
    NumberInput: { defaultProps: { size: 'xs' } },
    Select: { defaultProps: { size: 'xs' } },
    NativeSelect: { defaultProps: { size: 'xs' } },
    MultiSelect: { defaultProps: { size: 'xs' } },
    Textarea: { defaultProps: { size: 'xs' } },
    Checkbox: { defaultProps: { size: 'xs' } },
    Switch: { defaultProps: { size: 'xs' } },
    Button: { defaultProps: { size: 'xs' } },
    Autocomplete: { defaultProps: { size: 'xs' } },
    DateInput: { defaultProps: { size: 'xs' } },
    SegmentedControl: { defaultProps: { size: 'xs' } },
    Tooltip: { defaultProps: { openDelay: 400, withArrow: true } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.6 } } },
  },
})
