//! The mappings of JSON that come with the program, on payloads of the shape in the documentation of each system.

use jiff::tz::TimeZone;

use super::Mappings;
use crate::{
    batch::{self, End},
    event::Context,
    near::UnknownTypes,
};

/// What a payload becomes: `ID TYPE ACCOUNT TIME DATA` of each event, or why there is none.
fn map(mapping: &str, payload: &str) -> Vec<String> {
    let mappings = Mappings::load(None, &TimeZone::UTC, UnknownTypes::default()).expect("mappings");
    let context = Context {
        now_us: 1_780_000_000_000_000,
        until_us: i64::MAX,
        floor_us: crate::HISTORY_FLOOR_US,
        source: String::new(),
        tenant: String::new(),
        unknown_types: UnknownTypes::default(),
    };
    let batch = batch::map(mappings.get(mapping).expect("mapping"), payload.as_bytes(), &context, 100).expect("JSON");
    let mut events = batch.events.iter();
    let print = |item: &batch::Item| match &item.end {
        End::LeftOut(name) => format!("left out: {name}"),
        End::Refused(reason) => format!("rejected: {reason}"),
        End::Taken => {
            let event = crate::cloudevents::render(events.next().expect("event"), None);
            let event: serde_json::Value = serde_json::from_str(&event).expect("JSON");
            let text = |key: &str| event[key].as_str().unwrap_or("nobody").to_owned();
            let [id, kind, account, time] = ["id", "type", "account", "time"].map(text);
            format!("{id} {kind} {account} {time} {}", event["data"]).replace('"', "")
        }
    };
    batch.items.iter().map(print).collect()
}

#[test]
fn stripe() {
    let event = |kind: &str, object: &str| {
        format!(
            "{{\"id\":\"evt_1\",\"object\":\"event\",\"api_version\":\"2024-06-20\",\"created\":1704448800,\"type\":\
             \"{kind}\",\"data\":{{\"object\":{object}}},\"livemode\":false,\"pending_webhooks\":1}}"
        )
    };
    let subscription = |status: &str, interval: &str, pause: &str| {
        event(
            "customer.subscription.updated",
            &format!(
                "{{\"id\":\"sub_1\",\"object\":\"subscription\",\"customer\":\"cus_1\",\"currency\":\"usd\",\"status\":\
                 \"{status}\",\"cancel_at_period_end\":false,\"current_period_start\":1704448800,\"current_period_end\":\
                 1707127200,\"pause_collection\":{pause},\"cancellation_details\":{{\"reason\":null}},\"items\":{{\"object\":\
                 \"list\",\"data\":[{{\"id\":\"si_1\",\"quantity\":2,\"price\":{{\"id\":\"price_1\",\"nickname\":\"Pro\",\
                 \"product\":\"prod_1\",\"unit_amount\":10000,\"recurring\":{{\"interval\":\"{interval}\",\
                 \"interval_count\":1}}}}}},{{\"id\":\"si_2\",\"quantity\":1,\"price\":{{\"id\":\"price_2\",\"nickname\":\
                 null,\"product\":\"prod_2\",\"unit_amount\":500,\"recurring\":{{\"interval\":\"month\",\"interval_count\":\
                 1}}}}}}]}}}}"
            ),
        )
    };
    let changed = |status: &str, mrr: u32| {
        format!(
            "evt_1/subscription subscription.changed cus_1 2024-01-05T10:00:00Z {{auto_renew:true,currency:USD,mrr:{mrr},\
             product:Pro,quantity:3,status:{status},subscription:sub_1,term_end:2024-02-05T10:00:00Z,term_start:\
             2024-01-05T10:00:00Z}}"
        )
    };
    assert_eq!(map("stripe", &subscription("active", "month", "null")), [changed("active", 20_500)]);
    // 200.00 a year are 16.67 a month; each item is rounded.
    assert_eq!(map("stripe", &subscription("trialing", "year", "null")), [changed("trialing", 2_167)]);
    assert_eq!(map("stripe", &subscription("active", "month", "{\"behavior\":\"void\"}")), [changed("paused", 20_500)]);
    assert_eq!(map("stripe", &subscription("incomplete", "month", "null")), ["left out: incomplete subscriptions"]);

    let invoice = "{\"id\":\"in_1\",\"object\":\"invoice\",\"customer\":\"cus_1\",\"currency\":\"eur\",\"total\":1190,\
                   \"total_excluding_tax\":1000,\"due_date\":null,\"status\":\"paid\"}";
    assert_eq!(
        map("stripe", &event("invoice.paid", invoice)),
        [
            "evt_1/invoice invoice.resolved cus_1 2024-01-05T10:00:00Z {amount:1000,currency:EUR,invoice:in_1,status:paid}"
        ]
    );
    let charge = |invoice: &str, currency: &str| {
        format!(
            "{{\"id\":\"ch_1\",\"object\":\"charge\",\"customer\":\"cus_1\",\"currency\":\"{currency}\",\"amount\":50000,\
             \"amount_refunded\":500,\"invoice\":{invoice}}}"
        )
    };
    assert_eq!(
        map("stripe", &event("charge.succeeded", &charge("null", "ugx"))),
        ["evt_1/charge order.completed cus_1 2024-01-05T10:00:00Z {currency:UGX,discount:0,gross:500,order:ch_1}"]
    );
    assert_eq!(map("stripe", &event("charge.succeeded", &charge("\"in_1\"", "usd"))), ["left out: no event fits"]);
    let refunded = event("charge.refunded", &charge("\"in_1\"", "usd"))
        .replace("},\"livemode\"", ",\"previous_attributes\":{\"amount_refunded\":200}},\"livemode\"");
    assert_eq!(
        map("stripe", &refunded),
        [
            "evt_1/refund payment.refunded cus_1 2024-01-05T10:00:00Z {amount:300,currency:USD,invoice:in_1,refund:evt_1/refund}"
        ]
    );
    let customer = "{\"id\":\"cus_1\",\"object\":\"customer\",\"name\":\"Initech\",\"email\":\"a@initech.example\",\
                    \"address\":{\"country\":\"DE\"},\"currency\":null}";
    assert_eq!(
        map("stripe", &event("customer.updated", customer)),
        [
            "evt_1/customer account.updated cus_1 2024-01-05T10:00:00Z {traits:{custom:{email:a@initech.example},name:Initech,\
          region:DE}}"
        ]
    );
}

#[test]
fn shopify() {
    let order = |more: &str| {
        format!(
            "{{\"id\":820982911946154508,\"name\":\"#9999\",\"test\":false,\"created_at\":\"2024-01-05T10:00:00-05:00\",\
             \"currency\":\"USD\",\"financial_status\":\"paid\",\"source_name\":\"web\",\"referring_site\":\"\",\
             \"total_line_items_price\":\"414.95\",\"total_discounts\":\"20.00\",\"customer\":{{\"id\":115310627314723954,\
             \"email\":\"john@example.com\"}},\"line_items\":[{{\"id\":1,\"title\":\"Big Brown Bear Boots\",\"price\":\
             \"74.99\",\"quantity\":1,\"sku\":null}},{{\"id\":2,\"title\":\"Skis\",\"price\":\"169.98\",\"quantity\":2,\
             \"sku\":\"S\"}}]{more}}}"
        )
    };
    let completed = "820982911946154508 order.completed 115310627314723954 2024-01-05T15:00:00Z {channel:web,currency:USD,\
                     discount:2000,gross:41495,lines:[{amount:7499,product:Big Brown Bear Boots,quantity:1},{amount:33996,\
                     product:Skis,quantity:2}],order:820982911946154508}";
    assert_eq!(map("shopify", &order("")), [completed]);
    let refunds = ",\"refunds\":[{\"id\":509562969,\"created_at\":\"2024-01-06T10:00:00-05:00\",\"transactions\":[{\"kind\":\
                   \"refund\",\"amount\":\"10.00\"},{\"kind\":\"refund\",\"amount\":\"5.50\"}]}]";
    let refund = "509562969 payment.refunded 115310627314723954 2024-01-06T15:00:00Z {amount:1550,currency:USD,order:\
                  820982911946154508,refund:509562969}";
    assert_eq!(map("shopify", &order(refunds)), [completed, refund]);
    let cancelled = "820982911946154508/cancelled order.cancelled 115310627314723954 2024-01-07T15:00:00Z {order:\
                     820982911946154508}";
    let at = ",\"cancelled_at\":\"2024-01-07T10:00:00-05:00\"";
    assert_eq!(map("shopify", &order(&format!("{refunds}{at}"))), [completed, cancelled]);
    assert_eq!(map("shopify", &order("").replace("false", "true")), ["left out: test orders"]);
    assert_eq!(map("shopify", &order("").replace("\"paid\"", "\"pending\"")), ["left out: orders not paid yet"]);
    let guest = order("").replace("{\"id\":115310627314723954,\"email\":\"john@example.com\"}", "null");
    assert!(map("shopify", &guest)[0].starts_with("820982911946154508 order.completed nobody "));
    let refund = "{\"id\":1,\"order_id\":2,\"created_at\":\"2024-01-05T10:00:00-05:00\",\"refund_line_items\":[]}";
    assert_eq!(map("shopify", refund), ["left out: refunds alone (they come with orders/updated)"]);
    let customer = "{\"id\":706405506930370084,\"email\":\"bob@biller.example\",\"created_at\":\"2024-01-01T10:00:00Z\",\
                    \"updated_at\":\"2024-01-05T10:00:00Z\",\"first_name\":\"Bob\",\"last_name\":\"Biller\",\
                    \"default_address\":{\"country_code\":\"CA\"}}";
    assert_eq!(
        map("shopify", customer),
        ["706405506930370084/customer account.updated 706405506930370084 2024-01-05T10:00:00Z {traits:{custom:{email:\
          bob@biller.example},name:Bob Biller,region:CA}}"]
    );
}

#[test]
fn segment() {
    let common =
        "\"messageId\":\"m1\",\"timestamp\":\"2024-01-05T10:00:00.000Z\",\"userId\":\"u1\",\"anonymousId\":\"x\"";
    let track = |event: &str, properties: &str| {
        format!("{{\"type\":\"track\",{common},\"event\":\"{event}\",\"properties\":{properties},\"context\":{{}}}}")
    };
    let used = "m1/usage usage.recorded u1 2024-01-05T10:00:00Z {count:1,name:Signed Up,user:u1}";
    assert_eq!(map("segment", &track("Signed Up", "{\"plan\":\"Pro\"}")), [used]);
    let order = "{\"order_id\":\"o1\",\"revenue\":25.00,\"discount\":2.5,\"total\":30,\"currency\":\"EUR\",\"products\":\
                 [{\"product_id\":\"p1\",\"name\":\"Monopoly\",\"price\":19,\"quantity\":1},{\"product_id\":\"p2\",\"name\":\
                 \"UNO\",\"price\":4.25,\"quantity\":2}]}";
    let refund = track("Order Refunded", "{\"order_id\":\"o1\",\"total\":30,\"currency\":\"EUR\"}");
    let cancelled = track("Order Cancelled", "{\"order_id\":\"o1\"}");
    let batch = format!("{{\"batch\":[{},{refund},{cancelled}],\"sentAt\":\"x\"}}", track("Order Completed", order));
    assert_eq!(
        map("segment", &batch),
        [
            "m1/order order.completed u1 2024-01-05T10:00:00Z {currency:EUR,discount:250,gross:2750,lines:[{amount:1900,product:\
             Monopoly,quantity:1},{amount:850,product:UNO,quantity:2}],order:o1}",
            "m1/refund payment.refunded u1 2024-01-05T10:00:00Z {amount:3000,currency:EUR,order:o1,refund:m1/refund}",
            "m1/cancelled order.cancelled u1 2024-01-05T10:00:00Z {order:o1}",
        ]
    );
    let identify = format!(
        "{{\"type\":\"identify\",{common},\"traits\":{{\"email\":\"a@b.example\",\"plan\":\"Pro\",\"address\":{{\"country\":\
         \"DE\"}},\"company\":{{\"name\":\"Initech\"}}}}}}"
    );
    assert_eq!(
        map("segment", &identify),
        [
            "m1/traits account.updated u1 2024-01-05T10:00:00Z {traits:{custom:{email:a@b.example,id:u1},name:Initech,plan:Pro,\
          region:DE}}"
        ]
    );
    let group = format!("{{\"type\":\"group\",{common},\"groupId\":\"g1\",\"traits\":{{\"name\":\"Initech\"}}}}");
    assert_eq!(
        map("segment", &group),
        ["m1/traits account.updated g1 2024-01-05T10:00:00Z {traits:{custom:{id:u1},name:Initech}}"]
    );
    let page = "{\"type\":\"page\",\"messageId\":\"m2\",\"anonymousId\":\"x\",\"name\":\"Home\"}";
    assert_eq!(
        map("segment", page),
        ["m2/page usage.recorded x 2026-05-28T20:26:40Z {count:1,name:page Home,user:x}"],
        "without a time it happened when it arrived"
    );
    let calls = ["a", "b", "a"].map(|event| map("segment", &track(event, "{}").replace("\"messageId\":\"m1\",", "")));
    let id = |events: &Vec<String>| events[0].split(' ').next().expect("id").to_owned();
    assert_ne!(id(&calls[0]), id(&calls[1]), "calls without an id are known by their content");
    assert_eq!(calls[0], calls[2]);
    let alias = format!("{{\"type\":\"alias\",{common},\"previousId\":\"x\"}}");
    assert_eq!(map("segment", &alias), ["m1/alias identity.linked u1 2024-01-05T10:00:00Z {from:x,to:u1}"]);
}
