//! E-mail over SMTP, as text and as HTML. Messages of an alert make a thread: the first has an id of the group, the others
//! refer to it.

use std::path::PathBuf;

use lettre::{
    Message as Mail,
    message::{Mailbox, MultiPart},
};
use serde::Deserialize;
use serde_saphyr::Spanned;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        config::{Mistake, Place, source},
        message::{Message, cut},
        secret::Secret,
        show::Status,
        transport::{Call, Letter, Relay, Security},
    },
    Kind,
};

/// The settings as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    /// HOST or HOST:PORT.
    smtp: Spanned<String>,
    #[serde(default)]
    security: Security,
    from: Spanned<String>,
    to: Vec<Spanned<String>>,
    user: Option<String>,
    password_file: Option<Spanned<PathBuf>>,
    password_env: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Email {
    relay: Relay,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Written {
    pub(in super::super) fn build(&self, place: &mut Place<'_>) -> Option<Box<dyn Kind>> {
        let mailbox = |text: &Spanned<String>| {
            let wrong = |_| {
                Mistake::at(text, format!("`{}` is no address of e-mail; write one like anna@example.com", text.value))
            };
            text.value.parse::<Mailbox>().map_err(wrong)
        };
        let from = place.keep(mailbox(&self.from));
        let to: Vec<Mailbox> = self.to.iter().filter_map(|text| place.keep(mailbox(text))).collect();
        if self.to.is_empty() {
            place.wrong("the receiver needs an address; give `to`");
        }
        let default = match self.security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::Plain => 25,
        };
        let (host, port) = match self.smtp.value.rsplit_once(':') {
            None => (self.smtp.value.as_str(), Some(default)),
            Some((host, port)) => (host, port.parse().ok()),
        };
        let Some(port) = port.filter(|_| !host.is_empty()) else {
            let message = format!("`{}` is no server; write HOST or HOST:PORT", self.smtp.value);
            place.mistakes.push(Mistake::at(&self.smtp, message));
            return None;
        };
        let password = place.secret(&source("password", &self.password_file, &self.password_env));
        let login = match (&self.user, password) {
            (Some(user), Some(password)) => Some((user.clone(), password)),
            (None, None) => None,
            _ => {
                place.wrong("a login needs `user` and `password_file` or `password_env`; give both or none");
                return None;
            }
        };
        if login.is_some() && self.security == Security::Plain {
            place.wrong("a password would go over the network as it is; use `security: starttls` or `tls`");
            return None;
        }
        let relay = Relay { host: host.to_owned(), port, security: self.security, login };
        Some(Box::new(Email { relay, from: from?, to }))
    }
}

impl Kind for Email {
    fn call(&self, message: &Message) -> Result<Call, String> {
        let to = match &message.address {
            None => self.to.clone(),
            Some(address) => vec![address.parse().map_err(|_| format!("{address} is no address of e-mail"))?],
        };
        let domain = self.from.email.domain();
        // The thread is named by its first alert, since a group can start over with others.
        let thread = message.alerts.iter().map(|alert| (alert.starts_us, alert.id.as_str())).min();
        let thread = thread.map_or_else(|| message.id.clone(), |(_, id)| id.to_owned());
        let thread = format!("<{:016x}@{domain}>", xxh3_64(format!("{thread} {}", message.group_key).as_bytes()));
        let id = format!("<{}@{domain}>", message.id);
        let mut mail = Mail::builder()
            .message_id(Some(id))
            .in_reply_to(thread.clone())
            .references(thread)
            .from(self.from.clone())
            .subject(cut(&message.title, 200));
        for address in to {
            mail = mail.to(address);
        }
        let parts = MultiPart::alternative_plain_html(message.body.clone(), html(message));
        let mail = mail.multipart(parts).map_err(|error| format!("the mail cannot be made: {error}"))?;
        Ok(Call::Mail(Box::new(Letter {
            relay: self.relay.clone(),
            envelope: mail.envelope().clone(),
            bytes: mail.formatted(),
        })))
    }

    fn takes_address(&self) -> bool {
        true
    }
}

/// The body as HTML: the text is text, and the link a link.
fn html(message: &Message) -> String {
    let color = if message.status == Status::Resolved { "#2e7d32" } else { "#c62828" };
    let mut html = format!("<html><body><h3 style=\"color:{color}\">{}</h3>", escaped(&message.title));
    html += &format!("<pre style=\"font-family:inherit;white-space:pre-wrap\">{}</pre>", escaped(&message.body));
    for alert in message.alerts.iter().filter(|alert| !alert.link.is_empty()) {
        html += &format!("<p><a href=\"{}\">{}</a></p>", escaped(&alert.link), escaped(&alert.title));
    }
    html + "</body></html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A password that no log shows.
pub(in super::super) type Login = Option<(String, Secret)>;
