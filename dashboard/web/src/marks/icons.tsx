// Icons: 16 px, drawn with the colour of the text. None speaks alone: a word stands beside it, or names its button.
const paths = {
  pulse: 'M1 8.5h3l2-5 3.2 9.5 2.2-6 .9 1.5H15',
  chart: 'M2 2v12h12M4.5 10.5l3-3.5 2.5 2 4-5',
  funnel: 'M2 3h12M4 6.3h8M5.5 9.6h5M7 13h2',
  people: 'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.3-2.6 2-4 4.5-4s4.2 1.4 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.5M12 9.7c1.5.5 2.4 1.8 2.6 3.8',
  bell: 'M3.5 11.5V7a4.5 4.5 0 0 1 9 0v4.5l1 1h-11zM6.5 14.3c.8.6 2.2.6 3 0',
  goal: 'M8 14.5A6.5 6.5 0 1 0 8 1.5a6.5 6.5 0 0 0 0 13ZM8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z',
  rewind: 'M2 8a6 6 0 1 0 2-4.5M2 2v3.5h3.5M8 5v3.3l2.3 1.4',
  stack: 'M8 1.5 14.5 5 8 8.5 1.5 5zM1.5 8 8 11.5 14.5 8M1.5 11 8 14.5 14.5 11',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14.5 14.5',
  more: 'M2.5 8h.01M8 8h.01M13.5 8h.01',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  help: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6 6.3A2 2 0 1 1 8.7 8.1c-.5.3-.7.6-.7 1.1M8 11.5h.01',
  down: 'M4 6.5 8 10.5l4-4',
  export: 'M8 10V2M5 4.8 8 1.8l3 3M2.5 9.5v4h11v-4',
  link: 'M6.5 9.5l3-3M7 4.5l1.5-1.5a3.2 3.2 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3.2 3.2 0 0 1 3 8.5L4.5 7',
  edit: 'M2.5 13.5h3l8-8-3-3-8 8z',
  plus: 'M8 2.5v11M2.5 8h11',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M2.5 8.5l3.5 3.5 7.5-8',
  mute: 'M3.5 11.5V7a4.5 4.5 0 0 1 7-3.7M12.5 7v4.5l1 1h-9M2 14 14 2',
  clock: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.5 1.5',
  card: 'M1.5 3.5h13v9h-13zM1.5 6.5h13',
  ticket: 'M1.5 4.5h13V7a1.2 1.2 0 0 0 0 2.4v2.1h-13V9.4A1.2 1.2 0 0 0 1.5 7z',
  star: 'M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z',
  use: 'M3 2.5l9.5 5L8.3 9l-1.5 4.5z',
  box: 'M2.5 5 8 2l5.5 3v6L8 14l-5.5-3zM2.5 5 8 8l5.5-3M8 8v6',
  grip: 'M6 3.5h.01M10 3.5h.01M6 8h.01M10 8h.01M6 12.5h.01M10 12.5h.01',
  menu: 'M2 4h12M2 8h12M2 12h12',
  arrow: 'M3 8h10M9 4l4 4-4 4',
  moon: 'M13.5 9.5A6 6 0 1 1 6.5 2.5a4.8 4.8 0 0 0 7 7z',
} as const;

export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);

export const Logo = () => (
  <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
    <rect class="logo-ground" width={24} height={24} rx={6} />
    <path class="logo-line" d="M4 13h4l2.2-6.5 3.6 11L16 11l1 2h3" />
  </svg>
);
