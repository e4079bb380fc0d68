//! What each column is most likely for, and the mapping that follows.

use std::fmt::Write as _;

use super::{
    columns::{Column, Numbers},
    quoted,
};

/// The columns that a mapping needs.
#[derive(Debug)]
pub(super) struct Roles<'c> {
    time: Option<&'c Column>,
    account: Option<&'c Column>,
    id: Option<&'c Column>,
    amount: Option<&'c Column>,
    currency: Option<&'c Column>,
    status: Option<&'c Column>,
    product: Option<&'c Column>,
    quantity: Option<&'c Column>,
    kind: Kind,
}

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Orders,
    /// Each row is a line of one.
    Lines,
    Tickets,
    Deals,
    Accounts,
    Usage,
}

const TIMES: [&str; 7] = ["created", "order date", "purchase date", "date", "datum", "time", "at"];
const ACCOUNTS: [&[&str]; 4] = [
    &["customer id", "client id", "account id", "user id", "company id", "customerid"],
    &["customer", "account", "kunde", "client", "company", "organization", "associated company"],
    &["email", "customer email", "e mail"],
    &["user", "buyer", "member", "requester", "customer name"],
];
const IDS: &[&str] = &[
    "order id",
    "order number",
    "order",
    "invoice",
    "invoice id",
    "ticket id",
    "deal id",
    "record id",
    "transaction id",
    "number",
    "nummer",
    "id",
];
const AMOUNTS: &[&str] = &[
    "total",
    "total price",
    "amount",
    "betrag",
    "montant",
    "importe",
    "sales",
    "revenue",
    "net sales",
    "gross",
    "price",
    "value",
    "subtotal",
    "dollars",
];

impl<'c> Roles<'c> {
    pub(super) fn of(columns: &'c [Column]) -> Self {
        let first = |fits: &dyn Fn(&Column) -> bool| columns.iter().find(|column| column.filled > 0 && fits(column));
        let times = |column: &Column| !column.formats.is_empty();
        let time = TIMES.iter().find_map(|name| first(&|column| times(column) && column.is_called(&[name])));
        let account = ACCOUNTS.iter().find_map(|names| first(&|column| column.is_called(names) && !times(column)));
        let other = |column: &Column| Some(&column.name) != account.map(|account| &account.name);
        // What tells things apart has many values.
        let tells = |column: &Column| {
            other(column)
                && !times(column)
                && column.different * 20 > column.filled
                && !column.is_called(&["status", "date"])
        };
        let id = IDS.iter().find_map(|name| {
            let exact = |column: &Column| column.words == *name && tells(column);
            first(&exact).or_else(|| first(&|column| column.is_called(&[name]) && tells(column)))
        });
        let number =
            |column: &Column| column.is_number() && !times(column) && Some(&column.name) != id.map(|id| &id.name);
        let amount = AMOUNTS.iter().find_map(|name| {
            let exact = |column: &Column| column.words == *name && number(column);
            first(&exact).or_else(|| first(&|column| column.is_called(&[name]) && number(column)))
        });
        let has = |names: &[&str]| columns.iter().any(|column| column.is_called(names));
        let repeats = id.is_some_and(|id| !id.is_unique && id.different < id.filled);
        let kind = match amount {
            _ if has(&["ticket", "requester", "assignee"]) => Kind::Tickets,
            _ if has(&["deal", "pipeline", "opportunity"]) => Kind::Deals,
            Some(_) if repeats => Kind::Lines,
            Some(_) => Kind::Orders,
            None if account.is_some_and(|account| account.is_unique) => Kind::Accounts,
            None => Kind::Usage,
        };
        Self {
            time: time.or_else(|| first(&times)),
            account: account.filter(|account| id.is_none_or(|id| id.name != account.name)),
            id,
            amount,
            currency: first(&|column| column.is_called(&["currency"])),
            status: first(&|column| column.is_called(&["status", "state", "stage"]) && column.different <= 20),
            product: first(&|column| column.is_called(&["product", "product name", "item", "sku", "lineitem name"])),
            quantity: first(&|column| column.is_called(&["quantity", "qty", "units"]) && column.is_number()),
            kind,
        }
    }

    /// All of the mapping that follows from them.
    pub(super) fn written(&self, columns: &[Column]) -> String {
        let mut out = String::new();
        out.push_str(&self.numbers());
        let group = self.id.filter(|_| self.kind == Kind::Lines);
        if let Some(id) = group {
            let _ = writeln!(
                out,
                "group: [{}]   # guessed? several rows have the same, so each is a line of an order",
                quoted(&id.name)
            );
        }
        let kind = match self.kind {
            Kind::Orders | Kind::Lines => "order.completed",
            Kind::Tickets => "ticket.opened",
            Kind::Deals => "opportunity.opened",
            Kind::Accounts => "account.updated",
            Kind::Usage => "usage.recorded",
        };
        let _ = writeln!(out, "type: {kind}   # guessed? docs/events.md has all types");
        out.push_str(&self.status());
        match self.account {
            Some(account) => {
                let _ = writeln!(out, "account: {}   # guessed?", quoted(&account.name));
            }
            None => out
                .push_str("account: {default: somebody}   # MEND: no column was found; name the one of the customer\n"),
        }
        if let Some(id) = self.id.filter(|id| group.is_none() && id.is_unique) {
            let _ = writeln!(out, "id: {}   # found: no value is there twice", quoted(&id.name));
        }
        out.push_str(&self.time());
        out.push_str(&self.data(columns));
        out.push_str(&self.unused(columns));
        out
    }

    fn numbers(&self) -> String {
        let columns = || self.amount.into_iter().chain(self.quantity);
        let rounds = self.amount.is_some_and(|amount| amount.decimals > 2);
        let decimal = match () {
            () if columns().any(|column| column.numbers == Numbers::Comma) => Some(","),
            () if columns().any(|column| column.numbers == Numbers::Point) => Some("."),
            () => None,
        };
        let decimal = decimal.map(|decimal| format!("decimal: \"{decimal}\""));
        let round = rounds.then(|| "round: half_even".to_owned());
        let keys: Vec<String> = decimal.into_iter().chain(round).collect();
        let why = if rounds { ": amounts have more decimals than a currency; each is rounded" } else { "" };
        if keys.is_empty() { String::new() } else { format!("numbers: {{{}}}   # found{why}\n", keys.join(", ")) }
    }

    fn status(&self) -> String {
        let Some(status) = self.status.filter(|_| self.kind != Kind::Accounts) else { return String::new() };
        let name = serde_json::Value::from(status.name.as_str());
        let value = serde_json::Value::from(status.values.first().map_or("", String::as_str));
        let values = status.values.join(", ");
        format!("# {} is one of: {values}. To take some of them only:\n# when: row[{name}] == {value}\n", status.name)
    }

    fn time(&self) -> String {
        let Some(time) = self.time else {
            return "time: {default: \"2000-01-01T00:00:00Z\"}   # MEND: no column of times was found; name it, with its format\n".to_owned();
        };
        let name = quoted(&time.name);
        match time.formats.as_slice() {
            [] | ["", ..] => format!("time: {{column: {name}}}   # found: RFC 3339\n"),
            [format] => format!(
                "time: {{column: {name}, format: {}}}   # found; local to the setting time_zone, or add zone:\n",
                quoted(format)
            ),
            [format, other, ..] => {
                format!("time: {{column: {name}, format: {}}}   # guessed? {other} would fit, too\n", quoted(format))
            }
        }
    }

    fn data(&self, columns: &[Column]) -> String {
        let mut out = String::new();
        let is_money = matches!(self.kind, Kind::Orders | Kind::Lines | Kind::Deals) && self.amount.is_some();
        if is_money {
            match self.currency {
                Some(currency) => {
                    let _ = writeln!(out, "currency: {{column: {}}}   # guessed?", quoted(&currency.name));
                }
                None => {
                    let _ = writeln!(out, "currency: {}   # guessed? ISO 4217", sign(self.amount));
                }
            }
        }
        let amount = self.amount.map(|amount| quoted(&amount.name)).unwrap_or_default();
        let rounds = "   # guessed? major units; as: minor if they are cents";
        match self.kind {
            Kind::Orders => {
                let _ = writeln!(out, "data:\n  gross: {{column: {amount}, as: major}}{rounds}");
            }
            Kind::Lines => {
                out.push_str("lines:\n");
                if let Some(product) = self.product {
                    let _ = writeln!(out, "  product: {}", quoted(&product.name));
                }
                if let Some(quantity) = self.quantity {
                    let _ = writeln!(out, "  quantity: {}", quoted(&quantity.name));
                }
                let _ = writeln!(out, "  amount: {{column: {amount}, as: major}}{rounds}");
            }
            Kind::Tickets => {
                let _ = writeln!(out, "data:\n  ticket: {}", self.id_or_default());
            }
            Kind::Deals => {
                let _ = writeln!(
                    out,
                    "data:\n  opportunity: {}\n  kind: {{default: new}}   # new, expansion or renewal?",
                    self.id_or_default()
                );
                if is_money {
                    let _ = writeln!(out, "  amount: {{column: {amount}, as: major}}{rounds}");
                }
            }
            Kind::Accounts => {
                out.push_str("data:\n");
                for column in columns.iter().filter(|column| !self.uses(column)) {
                    let known = ["name", "owner", "plan", "segment", "region", "industry"];
                    let name = column.words.replace(' ', "_");
                    let name = if known.contains(&name.as_str()) { name } else { format!("custom.{name}") };
                    let _ = writeln!(out, "  traits.{name}: {}", quoted(&column.name));
                }
                out.push_str("  traits.custom.imported: {default: \"true\"}\n");
            }
            Kind::Usage => out.push_str("data:\n  name: {default: imported}   # what was used\n"),
        }
        out
    }

    fn id_or_default(&self) -> String {
        self.id.map_or_else(|| "{default: unknown}   # name the column".to_owned(), |id| quoted(&id.name))
    }

    fn uses(&self, column: &Column) -> bool {
        let used = [self.time, self.account, self.id, self.amount, self.currency, self.status];
        let of_lines = [self.product, self.quantity].into_iter().filter(|_| self.kind == Kind::Lines);
        used.into_iter().chain(of_lines).flatten().any(|used| used.name == column.name)
    }

    /// The columns that nothing is made of, with some values.
    fn unused(&self, columns: &[Column]) -> String {
        let mut out = String::new();
        if self.kind == Kind::Accounts {
            return out;
        }
        for column in columns.iter().filter(|column| !self.uses(column)) {
            if out.is_empty() {
                out.push_str("# Not used; a field of your own is data: {custom.NAME: COLUMN}, a dimension of orders channel or source:\n");
            }
            let values = column.values.join(", ").replace(['\n', '\r'], " ");
            let shown: String = values.chars().take(80).collect();
            let _ = writeln!(out, "#   {}: {shown}", column.name.replace(['\n', '\r'], " "));
        }
        out
    }
}

/// The currency whose sign is in the values of a column.
fn sign(amount: Option<&Column>) -> &'static str {
    let has = |sign: &str| amount.is_some_and(|amount| amount.values.iter().any(|value| value.contains(sign)));
    match () {
        () if has("€") => "EUR",
        () if has("£") => "GBP",
        () if has("¥") => "JPY",
        () => "USD",
    }
}
