//! One moment of the store, as the answers to one request read it: what many of them need is read once.

use std::{cell::RefCell, collections::HashMap};

use store::{
    AccountSelect, Accounts, Alert, AlertSelect, Clock, MetricInfo, Read, Result, Select, Settings, Visit, account,
    ask,
    sqlite::Reader,
    window::{Calendar, Kind},
};

use crate::fault::Fault;

/// First windows, by metric and kind.
type Firsts = HashMap<(String, Kind), Option<i64>>;

/// A reader that remembers.
pub(crate) struct Desk<'a> {
    read: &'a mut Reader,
    /// The tenant of the server.
    pub(crate) tenant: &'a str,
    /// The catalog.
    pub(crate) catalog: Vec<MetricInfo>,
    /// The settings.
    pub(crate) settings: Settings,
    /// The tenant's calendar.
    pub(crate) calendar: Calendar,
    clocks: Vec<Clock>,
    firsts: RefCell<Firsts>,
    /// The wall clock, microseconds since the Unix epoch.
    pub(crate) now_us: i64,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(read: &'a mut Reader, tenant: &'a str) -> Result<Self> {
        let settings = read.settings()?;
        Ok(Self {
            tenant,
            catalog: read.catalog()?,
            calendar: Calendar::of(&settings)?,
            settings,
            clocks: read.clocks()?,
            read,
            firsts: RefCell::default(),
            now_us: jiff::Timestamp::now().as_microsecond(),
        })
    }

    /// The metric of that name.
    pub(crate) fn metric(&self, name: &str) -> Result<&MetricInfo> {
        ask::find(&self.catalog, name)
    }

    /// Up to here everything of a metric is in the store.
    pub(crate) fn clock_us(&self, metric: &str) -> Option<i64> {
        ask::clock_us(&self.clocks, metric)
    }

    /// The greatest clock of all.
    pub(crate) fn greatest_clock_us(&self) -> Option<i64> {
        self.clocks.iter().map(|clock| clock.at_us).max()
    }

    /// Seconds from the greatest clock to the wall clock.
    pub(crate) fn lag_seconds(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a span of time in seconds")]
        let seconds = |us: i64| us.max(0) as f64 / 1e6;
        self.greatest_clock_us().map(|at| seconds(self.now_us.saturating_sub(at)))
    }

    /// The account of that name.
    pub(crate) fn account(&self, name: &str) -> Result<account::Account, Fault> {
        let select = AccountSelect {
            tenant: self.tenant.to_owned(),
            account: Some(name.to_owned()),
            limit: 1,
            ..AccountSelect::default()
        };
        let found = self.read.accounts(&select)?.accounts.into_iter().next();
        found.ok_or_else(|| Fault::missing("there is no account of this name"))
    }
}

impl Read for Desk<'_> {
    fn refresh(&mut self) -> Result<()> {
        Ok(())
    }

    fn catalog(&self) -> Result<Vec<MetricInfo>> {
        Ok(self.catalog.clone())
    }

    fn changes(&self) -> Result<u64> {
        self.read.changes()
    }

    fn settings(&self) -> Result<Settings> {
        Ok(self.settings.clone())
    }

    fn clocks(&self) -> Result<Vec<Clock>> {
        Ok(self.clocks.clone())
    }

    fn first_us(&self, tenant: &str, metric: &MetricInfo, kind: Kind) -> Result<Option<i64>> {
        let key = (metric.name.clone(), kind);
        if let Some(known) = self.firsts.borrow().get(&key) {
            return Ok(*known);
        }
        let first = self.read.first_us(tenant, metric, kind)?;
        self.firsts.borrow_mut().insert(key, first);
        Ok(first)
    }

    fn series(&self, select: &Select, visit: &mut Visit<'_>) -> Result<()> {
        self.read.series(select, visit)
    }

    fn groups(&self, tenant: &str, metric: &MetricInfo, by: &[String]) -> Result<u64> {
        self.read.groups(tenant, metric, by)
    }

    fn alerts(&self, select: &AlertSelect) -> Result<Vec<Alert>> {
        self.read.alerts(select)
    }

    fn transitions(&self, select: &AlertSelect) -> Result<Vec<Alert>> {
        self.read.transitions(select)
    }

    fn accounts(&self, select: &AccountSelect) -> Result<Accounts> {
        self.read.accounts(select)
    }

    fn bands(&self, tenant: &str, bands: &[account::Band]) -> Result<Vec<(u64, u64)>> {
        self.read.bands(tenant, bands)
    }

    fn currencies(&self, tenant: &str) -> Result<Vec<String>> {
        self.read.currencies(tenant)
    }
}
