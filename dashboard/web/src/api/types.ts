// The shapes of `/api/v1`. The browser formats them, it does not calculate.

export type Stamp = 'open' | 'settling' | 'final' | 'corrected' | 'level' | 'late';
export type Verdict = 'as_usual' | 'better' | 'worse' | 'no_range';
export type Band = 'healthy' | 'at_risk' | 'critical';
export type Compare = 'before' | 'year' | 'none';

export interface Window {
  kind: string;
  start: string | null;
  end: string | null;
}

export interface Value {
  window: Window;
  value: number | null;
  num: string | null;
  den: string | null;
  unit: string;
  currency: string | null;
  revision: string | null;
  final: boolean;
  corrected: boolean;
  reason: string | null;
  stamp: Stamp;
}

export interface Usual {
  low: number;
  high: number;
  centre: number;
  windows: number;
}

export interface Goal {
  target: number;
  expected: number | null;
  state: 'on_track' | 'behind' | 'met' | 'missed' | 'no_data';
  by: string | null;
  value: number | null;
  metric: string;
  dimensions: Record<string, string>;
  title: string;
  unit?: string;
  currency?: string | null;
}

export interface Vital {
  metric: string;
  title: string;
  group: string;
  direction: 'up' | 'down' | 'none';
  now: Value;
  other: Value | null;
  /** Days of the other window that are compared with the days of this one; null where it is taken whole. */
  other_days?: number | null;
  change: number | null;
  change_kind: 'relative' | 'points' | 'absolute';
  usual: Usual | null;
  verdict: Verdict;
  goal: Goal | null;
  spark: (number | null)[];
  few: boolean;
}

export interface Metric {
  name: string;
  title: string;
  description: string;
  formula: string;
  group: string;
  unit: string;
  direction: string;
  dimensions: string[];
  windows: string[];
  per_account: boolean;
  definition: string;
  sources: string[];
  action?: string;
  formula_now?: { text: string; parts: { name: string; value: number | null }[] };
}

export interface Next {
  day: string;
  score: number;
  component: string;
}

export interface AccountRow {
  account: string;
  score: number | null;
  band: Band | null;
  score_before: number | null;
  change: number | null;
  reason: string | null;
  value: number | null;
  currency: string | null;
  mrr: number | null;
  mrr_currency?: string | null;
  last_seen: string | null;
  next: Next | null;
  owner: string | null;
  traits: Record<string, string>;
  alerts: number;
}

export interface Cause {
  source: string;
  id: string;
}

export interface Evidence {
  definition: string;
  window: { kind: string; start?: string; end?: string };
  value: number | null;
  revision: string;
  causes: Cause[];
}

export interface Alert {
  id: string;
  rule: string;
  severity: string;
  state: 'pending' | 'firing' | 'resolved' | 'inactive';
  account: string | null;
  /** The name that people know it by. */
  account_name?: string | null;
  metric: string;
  dimensions: Record<string, string>;
  since: string;
  at: string;
  summary: string;
  description: string;
  reason: string | null;
  owner: string | null;
  acknowledged: { by: string; at: string } | null;
  silenced_until: string | null;
  evidence: Evidence[];
  fired?: string | null;
  annotations?: Record<string, string>;
  history?: { state: string; at: string }[];
}

export interface Bands {
  healthy: number;
  at_risk: number;
  critical: number;
}

export interface Overview {
  window: Window;
  compare: Compare;
  sentence: { worse: string[]; better: string[]; total: number };
  groups: { id: string; title: string; vitals: Vital[] }[];
  bands: Bands;
  bands_before: Bands | null;
  at_risk: AccountRow[];
  alerts: Alert[];
  alerts_firing: number;
  goals: Goal[];
}

export interface Point extends Value {
  first: number | null;
}

export interface Series {
  dimensions: Record<string, string>;
  currency: string | null;
  points: Point[];
}

export interface SeriesAnswer {
  metric: string;
  unit: string;
  currency: string | null;
  zone: string;
  series: Series[];
  usual: Usual | null;
  goal: Goal | null;
}

export interface Part {
  key: string;
  now: Value;
  other: Value | null;
  effect: number | null;
  share: number | null;
}

export interface Breakdown {
  parts: Part[];
  total: Vital;
}

export interface AccountsAnswer {
  accounts: AccountRow[];
  next: string | null;
  total: number;
}

export interface Contribution {
  component: string;
  title: string;
  weight: number;
  points: number | null;
  of: number | null;
  before: number | null;
  /** What it rests on, in English. */
  inputs: string;
  /** The same as numbers: days, days, percent, tickets, or 1 while payment fails. */
  input?: { kind: string; value: number | null; among: number | null } | null;
}

export interface AccountPage {
  row: AccountRow;
  score: Value | null;
  contributions: Contribution[];
  projection: { day: string; score: number | null; components?: string[] }[];
  scores: { day: string; score: number | null }[];
  values: Vital[];
  facts: { name: string; at: string | null; fields: Record<string, unknown> }[];
  alerts: Alert[];
  first_seen: string | null;
  aliases: string[];
}

export interface LogEvent {
  id: string;
  source: string;
  type: string;
  time: string;
  recordedat?: string;
  account?: string;
  data: Record<string, unknown>;
}

export interface EventsAnswer {
  events: LogEvent[];
  next: string | null;
}

export interface ExplainPart {
  at: string;
  brought: 'time' | 'event' | 'correction' | 'definition';
  source?: string;
  id?: string;
  tenths: number | null;
  by: Record<string, number>;
}

export interface Explain {
  account: string;
  at: string;
  tenths: number | null;
  reason?: string;
  band?: string;
  components: { name: string; weight: number; input?: string; points?: string; contribution: number }[];
  projection: { at: string; tenths: number | null; moved: Record<string, string | null> }[];
  since?: string;
  published?: number | null;
  change?: number;
  parts?: ExplainPart[];
}

export interface Deal {
  opportunity: string;
  account: string;
  /** The name of the account. */
  name: string | null;
  kind: string;
  stage: string;
  owner: string;
  amount: number | null;
  currency: string;
  /** When it came into its stage, and how long ago that is. */
  since: string | null;
  seconds: number;
  /** How long a visit of the stage took on average, in the last twelve months. */
  usual_seconds: number | null;
  stopped: boolean;
}

export interface DealsAnswer {
  deals: Deal[];
  total: number;
  stopped: number;
  next: string | null;
}

export interface AlertsAnswer {
  alerts: Alert[];
  next: string | null;
  total: number;
  counts: { firing: number; pending: number; acknowledged: number; silenced: number };
}

export interface Rule {
  name: string;
  group: string;
  metric: string;
  /** In English. */
  sentence: string;
  /** The rule as its file has it, key by key. */
  written?: Record<string, unknown>;
  severity: string;
  labels: Record<string, string>;
  firing: number;
}

export interface Silence {
  id: string;
  /** Each on a label, as Alertmanager writes it: `rule="silent_90d"`. */
  matchers: string[];
  until: string;
  by: string;
  comment: string;
}

export interface Score {
  rule?: string;
  alerts: number;
  accounts: number;
  censored: number;
  judged: number;
  right: number;
  precision: number | null;
  outcomes: number;
  outcomes_censored: number;
  caught: number;
  recall: number | null;
  lead: { quarter: number | null; median: number | null; three_quarters: number | null };
  flaps: { all: number; again: number; short: number };
  alerts_by_week: number[];
  owners: { owner: string; alerts: number; most_a_week: number }[];
}

export interface Backtest {
  outcome: string;
  horizon: number;
  from: string;
  to: string;
  end_of_log: string;
  records: number;
  weeks: string[];
  files: { file: string; rules: Score[]; together: Score }[];
}

export interface DeadLetter {
  id: string;
  at: string;
  topic: string;
  partition: number;
  offset: number;
  reason: string;
  detail: string;
  bytes_base64: string;
  text: string | null;
}

export interface LettersAnswer {
  letters: DeadLetter[];
  next: string | null;
  total: number;
}

export interface PipelineHealth {
  stages: { stage: string; topic: string; partition: number; position: number | null; end: number | null; lag: number | null }[];
  clocks: Record<string, unknown>[];
  disk: { path: string; bytes_used: number; bytes_free: number | null } | null;
  retention: Record<string, unknown>[] | null;
  outcomes: Record<string, number> | null;
  processes: Record<string, unknown>[] | null;
}

export interface Site {
  tenant: string;
  zone: string;
  version: string;
  clock: string | null;
  lag_seconds: number | null;
  currencies: string[];
  demo: boolean;
  languages: string[];
}

export type CardKind = 'value' | 'trend' | 'bar' | 'pie' | 'funnel' | 'table' | 'accounts' | 'alerts' | 'goal' | 'text';

export interface Card {
  id: string;
  kind: CardKind;
  size: 1 | 2 | 4;
  metric?: string;
  by?: string;
  window?: string;
  text?: string;
  sort?: string;
  limit?: number;
}

export interface Board {
  name: string;
  title: string;
  filters: { window?: string; compare?: Compare; segment?: string };
  cards: Card[];
}

export interface BoardEntry {
  name: string;
  title: string;
  ready: boolean;
  etag: string;
}

export interface Problem {
  title: string;
  status: number;
  detail: string;
}
