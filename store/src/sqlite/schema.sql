-- The store of Vitals, schema 3. Times are microseconds since the Unix epoch (UTC), money is in minor units of
-- `currency`. By hand, start with the views: they join, and show times as RFC 3339.
--
--   SELECT * FROM metrics_readable WHERE metric = 'orders' AND window = '1mo' AND dimensions = '{}';
--   SELECT * FROM alerts_readable WHERE state = 'firing';

-- Settings that readers need: time_zone, week_start (monday, ...), fiscal_year_start (1 to 12), allowed_lateness_us, keep_us,
-- dimension_values_max. since_us: the first tick of all.
-- additive: JSON array of the metrics whose values of several windows add up.
-- people: JSON object, by metric the group in which people look for it and the direction that is good (up, down).
-- changes: how many times something was written. roles: JSON object, which metrics the table of accounts is made of. before_us: the first instant of the day with which
-- scores are compared there.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The metrics in force. windows: JSON array of kinds; kept_by: JSON array of arrays of dimensions.
-- fill: what a query shows for a window without a row (zero, null with fill_reason, carry).
CREATE TABLE catalog (
  position    INTEGER NOT NULL,
  name        TEXT PRIMARY KEY,
  definition  TEXT NOT NULL,
  title       TEXT NOT NULL,
  description TEXT NOT NULL,
  unit        TEXT NOT NULL,
  windows     TEXT NOT NULL,
  kept_by     TEXT NOT NULL,
  per_account INTEGER NOT NULL,
  fill        TEXT NOT NULL,
  fill_reason TEXT NOT NULL,
  maturity_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What stays the same from window to window. dimensions: JSON object, names sorted, without currency;
-- kept_by: their names, joined by commas. currency and account are '' where there is none.
CREATE TABLE series (
  id         INTEGER PRIMARY KEY,
  tenant     TEXT NOT NULL,
  metric     TEXT NOT NULL,
  definition TEXT NOT NULL,
  kept_by    TEXT NOT NULL,
  dimensions TEXT NOT NULL,
  currency   TEXT NOT NULL,
  account    TEXT NOT NULL,
  unit       TEXT NOT NULL,
  UNIQUE (metric, definition, tenant, kept_by, dimensions, currency, account)
) STRICT;

-- What there is of one account.
CREATE INDEX series_account ON series (account, metric) WHERE account <> '';

-- The value of a series in a window. window: 1h 1d 1w 1mo 1q 1y, `trailing Nd`, to-date (start and end 0).
-- A point is replaced only by one of the same or a higher revision. value = num / den exactly, where both are given;
-- they are integers, as text where 64 bits do not hold them. first: the value that it had before it was corrected for the
-- first time; null if it was not, or nobody saw it.
CREATE TABLE points (
  series      INTEGER NOT NULL REFERENCES series (id),
  window      TEXT NOT NULL,
  start_us    INTEGER NOT NULL,
  end_us      INTEGER NOT NULL,
  revision_us INTEGER NOT NULL,
  value       REAL,
  num         ANY,
  den         ANY,
  since_us    INTEGER,
  final       INTEGER NOT NULL,
  corrected   INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  first       REAL,
  PRIMARY KEY (series, window, start_us, end_us)
) STRICT, WITHOUT ROWID;

-- The greatest tick seen in each partition: everything published there up to it is here.
CREATE TABLE clock (
  topic     TEXT NOT NULL,
  partition INTEGER NOT NULL,
  at_us     INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

-- Each account as lists show it: the latest of its metrics. score_us, window_us: revision and window of the score; series:
-- that of the score; before: the score 30 days ago; change = score - before. value and mrr are in minor units. seen_us: the
-- latest event that moved one of its numbers. traits: JSON object; contributions, projection: JSON arrays.
CREATE TABLE accounts (
  tenant        TEXT NOT NULL,
  account       TEXT NOT NULL,
  name          TEXT,
  owner         TEXT NOT NULL DEFAULT '',
  score         REAL,
  reason        TEXT NOT NULL DEFAULT '',
  score_us      INTEGER NOT NULL DEFAULT 0,
  window_us     INTEGER NOT NULL DEFAULT -9223372036854775808,
  series        INTEGER NOT NULL DEFAULT 0,
  before        REAL,
  change        REAL,
  value         REAL,
  currency      TEXT NOT NULL DEFAULT '',
  mrr           REAL,
  mrr_currency  TEXT NOT NULL DEFAULT '',
  seen_us       INTEGER,
  traits_us     INTEGER NOT NULL DEFAULT -9223372036854775808,
  traits        TEXT NOT NULL DEFAULT '{}',
  contributions TEXT NOT NULL DEFAULT '[]',
  projection    TEXT NOT NULL DEFAULT '[]',
  PRIMARY KEY (tenant, account)
) STRICT, WITHOUT ROWID;

-- One for each order of a list: what has no value comes last.
CREATE INDEX accounts_score ON accounts (tenant, coalesce(score, 1e300), account);
CREATE INDEX accounts_score_descending ON accounts (tenant, coalesce(score, -1e300), account);
CREATE INDEX accounts_fall ON accounts (tenant, coalesce(change, 1e300), account);
CREATE INDEX accounts_value ON accounts (tenant, coalesce(value, -1e300), account);
CREATE INDEX accounts_before ON accounts (tenant, before);
CREATE INDEX accounts_seen ON accounts (tenant, coalesce(seen_us, 1e300), account);

-- The current state of each alert. account is '' where there is none; evidence: JSON array; about: JSON object, what the
-- alert says to people.
CREATE TABLE alerts (
  tenant     TEXT NOT NULL,
  rule       TEXT NOT NULL,
  account    TEXT NOT NULL,
  dimensions TEXT NOT NULL,
  metric     TEXT NOT NULL,
  state      TEXT NOT NULL,
  since_us   INTEGER NOT NULL,
  at_us      INTEGER NOT NULL,
  value      REAL,
  evidence   TEXT NOT NULL,
  id         TEXT NOT NULL,
  about      TEXT NOT NULL,
  PRIMARY KEY (tenant, rule, account, dimensions)
) STRICT, WITHOUT ROWID;

CREATE INDEX alerts_account ON alerts (tenant, account, state);
CREATE INDEX alerts_id ON alerts (id);

-- Every change of state, once.
CREATE TABLE alert_transitions (
  tenant     TEXT NOT NULL,
  rule       TEXT NOT NULL,
  account    TEXT NOT NULL,
  dimensions TEXT NOT NULL,
  metric     TEXT NOT NULL,
  state      TEXT NOT NULL,
  since_us   INTEGER NOT NULL,
  at_us      INTEGER NOT NULL,
  value      REAL,
  evidence   TEXT NOT NULL,
  id         TEXT NOT NULL,
  about      TEXT NOT NULL,
  PRIMARY KEY (tenant, rule, account, dimensions, at_us, state)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_transitions_id ON alert_transitions (id);

CREATE VIEW metrics_readable AS
SELECT s.tenant, s.metric, p.window,
  CASE WHEN p.window <> 'to-date' THEN
    strftime('%Y-%m-%dT%H:%M:%S', p.start_us / 1000000, 'unixepoch') || 'Z' END AS start,
  CASE WHEN p.window <> 'to-date' THEN
    strftime('%Y-%m-%dT%H:%M:%S', p.end_us / 1000000, 'unixepoch') || 'Z' END AS "end",
  s.dimensions, nullif(s.account, '') AS account, nullif(s.currency, '') AS currency,
  p.value, p.num, p.den, s.unit,
  strftime('%Y-%m-%dT%H:%M:%S', p.revision_us / 1000000, 'unixepoch')
    || printf('.%06dZ', p.revision_us % 1000000) AS revision,
  p.final, p.corrected, p.first,
  strftime('%Y-%m-%dT%H:%M:%S', p.since_us / 1000000, 'unixepoch')
    || printf('.%06dZ', p.since_us % 1000000) AS since,
  s.definition, nullif(p.reason, '') AS reason
FROM points p JOIN series s ON s.id = p.series;

CREATE VIEW alerts_readable AS
SELECT tenant, rule, nullif(account, '') AS account, dimensions, metric, state,
  strftime('%Y-%m-%dT%H:%M:%S', since_us / 1000000, 'unixepoch') || printf('.%06dZ', since_us % 1000000) AS since,
  strftime('%Y-%m-%dT%H:%M:%S', at_us / 1000000, 'unixepoch') || printf('.%06dZ', at_us % 1000000) AS at,
  value, evidence
FROM alerts;

CREATE VIEW alert_transitions_readable AS
SELECT tenant, rule, nullif(account, '') AS account, dimensions, metric, state,
  strftime('%Y-%m-%dT%H:%M:%S', since_us / 1000000, 'unixepoch') || printf('.%06dZ', since_us % 1000000) AS since,
  strftime('%Y-%m-%dT%H:%M:%S', at_us / 1000000, 'unixepoch') || printf('.%06dZ', at_us % 1000000) AS at,
  value, evidence
FROM alert_transitions;
