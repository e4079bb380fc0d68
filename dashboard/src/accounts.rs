//! `/accounts`: lists that are sorted and filtered by an index, page by page.

use axum::{extract::State, response::Response};
use serde::Serialize;
use store::{
    Account, AccountSelect, AccountSort, Read as _,
    account::{Cursor, Roles},
    window::rfc3339,
};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::Asked,
    desk::Desk,
    fault::Fault,
    form::{AccountRow, Next, shown},
    params::Params,
    sheet::{self, cell},
};

/// The most rows of a page.
const LIMIT_MAX: u64 = 1_000;

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accounts {
    /// The page.
    accounts: Vec<AccountRow>,
    /// Where the next page begins; null at the end.
    next: Option<String>,
    /// How many there are on all pages.
    total: u64,
    /// How many of them have a score: the customers of whom something is known. The bands of the overview add up to it.
    scored: u64,
}

/// The band of a score.
pub(crate) fn band(roles: &Roles, score: Option<f64>) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "bounds of bands are small")]
    let holds = |from: i64, score: f64| score >= from as f64;
    let score = score?;
    roles.bands.iter().find(|band| holds(band.from, score)).map(|band| band.name.clone())
}

/// The component that takes most off the score: what its weight allows less what it adds.
pub(crate) fn reason(roles: &Roles, account: &Account) -> Option<String> {
    account.score.filter(|score| *score < 100.0)?;
    let has_input = |name: &str| account.contributions.iter().find(|of| of.component == name);
    let weights = roles.components.iter().filter(|of| has_input(&of.name).is_some()).map(|of| i64::from(of.weight));
    let all: i64 = weights.sum();
    let missing = |name: &str, weight: u32| {
        // In tenths of points, times all weights: integers compare exactly.
        has_input(name).map(|of| i64::from(weight) * 1_000 - of.tenths * all)
    };
    let parts = roles.components.iter().filter_map(|of| Some((missing(&of.name, of.weight)?, &of.name)));
    let most = parts.reduce(|most, part| if part.0 > most.0 { part } else { most })?;
    (most.0 > 0).then(|| most.1.clone())
}

/// An account as a list shows it.
pub(crate) fn row(desk: &Desk<'_>, account: Account) -> AccountRow {
    let roles = &desk.settings.roles;
    let some = |text: String| (!text.is_empty()).then_some(text);
    let money = |value: Option<f64>, code: &str| value.map(|value| shown(value, "money", code));
    AccountRow {
        band: band(roles, account.score),
        reason: reason(roles, &account),
        change: account.score.zip(account.before).map(|(now, before)| round_tenth(now - before)),
        value: money(account.value, &account.currency),
        currency: some(account.currency.clone()),
        mrr: money(account.mrr, &account.mrr_currency),
        mrr_currency: some(account.mrr_currency.clone()),
        last_seen: account.seen_us.map(rfc3339),
        next: next(desk, &account),
        owner: account.traits.get("owner").cloned().and_then(some),
        score: account.score,
        score_before: account.before,
        account: account.account,
        traits: account.traits,
        alerts: account.alerts,
    }
}

/// Scores have one decimal, and so have their differences.
fn round_tenth(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

/// The next change that is still to come.
fn next(desk: &Desk<'_>, account: &Account) -> Option<Next> {
    let clock = desk.greatest_clock_us()?;
    let coming = account.projection.iter().find(|of| of.at_us > clock)?;
    let component = coming.moved.first().map(|(name, _)| name.clone()).unwrap_or_default();
    Some(Next { day: desk.calendar.date(coming.at_us).ok()?.to_string(), score: coming.score?, component })
}

/// The select that parameters ask for.
fn select(desk: &Desk<'_>, mut params: Params) -> Result<AccountSelect, Fault> {
    let sorts = AccountSort::ALL.map(|sort| (sort.name(), sort));
    let sort = params.word("sort", &sorts)?.unwrap_or_default();
    let text = params.take("q");
    let owner = params.take_any("owner");
    let scores = match params.take("band") {
        None => None,
        Some(name) => Some(scores(&desk.settings.roles, &name)?),
    };
    let after = match params.take("cursor") {
        None => None,
        Some(word) => Some(Cursor::of_word(&word).ok_or(store::Error::Cursor)?),
    };
    let limit = params.number("limit", 1, LIMIT_MAX, 50)?;
    let traits = params.take_all("trait.");
    params.done()?;
    let tenant = desk.tenant.to_owned();
    Ok(AccountSelect { tenant, account: None, text, owner, scores, traits, sort, after, limit })
}

/// From where to where the scores of a band go.
fn scores(roles: &Roles, name: &str) -> Result<(f64, f64), Fault> {
    let known = || roles.bands.iter().map(|band| band.name.as_str()).collect::<Vec<_>>().join(", ");
    let at = roles.bands.iter().position(|band| band.name == name);
    let at = at.ok_or_else(|| Fault::unfit("band", format!("is {name:?}, expected one of {}", known())))?;
    #[expect(clippy::cast_precision_loss, reason = "bounds of bands are small")]
    let from = |at: usize| roles.bands[at].from as f64;
    Ok((from(at), at.checked_sub(1).map_or(f64::MAX, from)))
}

const HEADER: [&str; 14] = [
    "account",
    "score",
    "band",
    "score_before",
    "change",
    "reason",
    "value",
    "currency",
    "mrr",
    "last_seen",
    "next_day",
    "next_score",
    "owner",
    "alerts",
];

fn csv(rows: Vec<AccountRow>) -> Result<Answer, Fault> {
    let cells = |row: AccountRow| {
        let (day, score) = row.next.map_or((None, None), |next| (Some(next.day), Some(next.score)));
        vec![
            row.account,
            cell(row.score),
            cell(row.band),
            cell(row.score_before),
            cell(row.change),
            cell(row.reason),
            cell(row.value),
            cell(row.currency),
            cell(row.mrr),
            cell(row.last_seen),
            cell(day),
            cell(score),
            cell(row.owner),
            row.alerts.to_string(),
        ]
    };
    sheet::answer(&HEADER, rows.into_iter().map(cells))
}

/// Accounts, sorted and filtered.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(
    ("q" = Option<String>, Query, description = "part of the account's name"),
    ("sort" = Option<String>, Query, description = "score, -score, fall, value or last_seen"),
    ("owner" = Option<String>, Query, description = "of this owner; empty: nobody's"),
    ("band" = Option<String>, Query, description = "of this band"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "rows of a page, 50 by default"),
    ("format" = Option<String>, Query, description = "json or csv")),
    responses((status = 200, body = Accounts), (status = 400)))]
pub(crate) async fn accounts(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        let desk = context.desk;
        let page = desk.accounts(&select(desk, params)?)?;
        let rows: Vec<_> = page.accounts.into_iter().map(|account| row(desk, account)).collect();
        if context.csv {
            return csv(rows);
        }
        Answer::json(&Accounts {
            accounts: rows,
            next: page.next.map(|next| next.word()),
            total: page.total,
            scored: page.scored,
        })
    };
    api.by_store(asked, ask).await
}

#[cfg(test)]
mod tests {
    use store::account::{Band, Component, Contribution};

    use super::*;

    #[test]
    fn the_reason_is_what_takes_most_off_by_weight() {
        let component = |name: &str, weight| Component { name: name.to_owned(), weight };
        let roles = Roles {
            components: vec![component("usage", 20), component("tickets", 15), component("feedback", 20)],
            bands: [("healthy", 70), ("at_risk", 40), ("critical", 0)]
                .map(|(name, from)| Band { name: name.to_owned(), from })
                .to_vec(),
            ..Roles::default()
        };
        let of = |parts: &[(&str, i64)]| Account {
            score: Some(40.0),
            contributions: parts
                .iter()
                .map(|(name, tenths)| Contribution { component: (*name).to_owned(), tenths: *tenths })
                .collect(),
            ..Account::default()
        };
        // Of 35 in all, usage may add 571 tenths, tickets 429.
        assert_eq!(reason(&roles, &of(&[("usage", 400), ("tickets", 100)])).as_deref(), Some("tickets"));
        assert_eq!(reason(&roles, &of(&[("usage", 0), ("tickets", 429)])).as_deref(), Some("usage"));
        assert_eq!(reason(&roles, &of(&[])), None);
        let bands = [(70.0, "healthy"), (69.9, "at_risk"), (0.0, "critical")];
        for (score, name) in bands {
            assert_eq!(band(&roles, Some(score)).as_deref(), Some(name));
        }
        assert_eq!(band(&roles, None), None);
    }
}
