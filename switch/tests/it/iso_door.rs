//! The on-site payment as an ISO 8583 terminal sees it: bytes into the door, bytes out of it, in virtual time.
mod peers;
mod proven;
mod sent_away;

use crate::visitors::Handset;
use crate::world::{House, house};
use actors::domain::identity::KeyName;
use actors::domain::response_code::ResponseCode;
use actors::gate::{Class, Permit};
use actors::ports::security_module::{Cipher, KeyRole};
use adapters::dice::SystemDice;
use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::Framing;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use adapters::security_module::{ConfiguredKey, SoftwareSecurityModule};
use bytes::{Bytes, BytesMut};
use futures_util::future::join;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use switch::iso::{Exchange, Flows, IsoDoor, MacRules, Proof, Rules};
use switch::line::{Answering, Line, LineSettings, Lines};

const PATIENCE: Duration = Duration::from_secs(30);
const MARGIN: Duration = Duration::from_secs(5);

/// A terminal on a line of its own.
struct Pos {
    door: IsoDoor,
    line: Arc<Line>,
    dialect: &'static Dialect,
}

/// An answer: its fields, and it as it came.
struct Told {
    fields: BTreeMap<u8, String>,
    frame: Bytes,
}

impl Told {
    fn code(&self) -> (&str, &str) {
        (&self.fields[&0], &self.fields[&39])
    }
}

impl Pos {
    fn on(house: &House) -> Self {
        Self::speaking("iso87-ascii", house, ResponseCode::APPROVED)
    }

    fn speaking(dialect: &str, house: &House, unseen_reversal: ResponseCode) -> Self {
        Self::proven_by(proof(house, keys(), None, None), dialect, house, unseen_reversal)
    }

    fn proven_by(proof: Proof, dialect: &str, house: &House, unseen_reversal: ResponseCode) -> Self {
        let settings = LineSettings::standard("till", "len2".parse::<Framing>().unwrap(), dialect);
        let lines = Lines::new(&house.clock, 100, [settings]);
        let dialect = Dialect::named(dialect).unwrap();
        let rules = Rules { patience: PATIENCE, margin: MARGIN, unseen_reversal };
        let flows = Flows::new(house.board.clone(), Arc::clone(&house.history), rules);
        let door = IsoDoor::new(Arc::new(dialect.clone()), flows, proof);
        Self { door, line: Arc::clone(&lines.all()[0]), dialect }
    }

    async fn ask(&self, mti: &str, fields: &[(u8, &str)]) -> Option<Told> {
        self.ask_bytes(self.written(mti, fields)).await
    }

    async fn ask_bytes(&self, message: Bytes) -> Option<Told> {
        Some(self.heard(&self.door.answer(&self.line, message).await.reply?))
    }

    fn heard(&self, frame: &Bytes) -> Told {
        let message = Message::parse(self.dialect, frame).unwrap();
        let mut fields = BTreeMap::from([(0, message.mti().as_str().to_owned())]);
        fields.extend(message.fields().into_iter().map(|n| (n, message.text(n).unwrap().to_string())));
        Told { fields, frame: frame.clone() }
    }

    async fn told(&self, mti: &str, fields: &[(u8, &str)]) -> Told {
        self.ask(mti, fields).await.expect("an answer")
    }

    fn written(&self, mti: &str, fields: &[(u8, &str)]) -> Bytes {
        let mut builder = Builder::new(self.dialect, Mti::parse(mti.as_bytes()).unwrap());
        for (n, value) in fields {
            builder.set(*n, value).unwrap();
        }
        let mut out = BytesMut::new();
        builder.finish(&mut out).unwrap();
        out.freeze()
    }

    /// A sale that the phone pays with this credential.
    async fn sold(&self, phone: &Handset, sale: &[(u8, &str)], credential: &str) -> Told {
        let paying = async {
            // The amount comes before the phone.
            tokio::time::sleep(Duration::from_millis(100)).await;
            phone.stand_at("T1").await.expect(200);
            let confirmed = phone.confirm(&phone.card().await).await.expect(200);
            phone.pay(&confirmed, credential).await.expect(200);
        };
        join(self.told("0200", sale), paying).await.0
    }
}

const SALE: [(u8, &str); 10] = [
    (3, "000000"),
    (4, "000000001250"),
    (7, "1122101530"),
    (11, "000123"),
    (12, "111530"),
    (13, "1122"),
    (25, "00"),
    (41, "T1      "),
    (42, "corner         "),
    (49, "978"),
];
const DATA: &str = "020000012311221015300000000000000000000000";

/// The sale with these fields instead, or more.
fn sale_but<'a>(changes: &[(u8, &'a str)]) -> Vec<(u8, &'a str)> {
    let mut fields: Vec<(u8, &str)> = SALE.to_vec();
    fields.retain(|(n, _)| changes.iter().all(|(changed, _)| changed != n));
    fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    fields
}

async fn stage() -> (House, Handset) {
    tokio::time::pause();
    opened().await
}

async fn opened() -> (House, Handset) {
    let house = house();
    let phone = Handset::log_in(&house, "15550000001").await;
    (house, phone)
}

#[actix_web::test]
async fn the_phone_that_stands_there_pays_what_an_iso_terminal_asks() {
    let (house, phone) = stage().await;
    let told = Pos::on(&house).sold(&phone, &SALE, "right").await;
    assert_eq!(told.code(), ("0210", "00"));
    assert_eq!((told.fields[&37].len(), told.fields[&38].len()), (12, 6));
    for (n, value) in SALE {
        assert_eq!(told.fields[&n], value, "field {n} comes back");
    }
}

#[actix_web::test]
async fn every_dialect_pays() {
    tokio::time::pause();
    for dialect in ["iso87-ascii", "iso87-ascii-bin", "iso87-bcd"] {
        let house = house();
        let phone = Handset::log_in(&house, "15550000001").await;
        let pos = Pos::speaking(dialect, &house, ResponseCode::APPROVED);
        assert_eq!(pos.sold(&phone, &SALE, "right").await.code(), ("0210", "00"), "{dialect}");
    }
    let house = house();
    let phone = Handset::log_in(&house, "15550000001").await;
    let pos = Pos::speaking("cup-pos", &house, ResponseCode::APPROVED);
    let sale = sale_but(&[(7, ""), (12, ""), (13, ""), (60, "22000007000")]);
    assert_eq!(pos.sold(&phone, &sale, "right").await.code(), ("0210", "00"));
    let void = sale_but(&[(3, "200000"), (7, ""), (11, "000124"), (60, "23000007000"), (61, "000007000123")]);
    assert_eq!(pos.told("0200", &void).await.code(), ("0210", "00"));
    let (_, again) = (pos.told("0201", &sale).await, pos.told("0201", &sale).await);
    assert_eq!(again.code(), ("0210", "68"), "the sale was voided");
}

#[actix_web::test]
async fn a_repeat_is_answered_word_for_word_in_flight_and_for_ever() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let (first, meanwhile) = join(pos.sold(&phone, &SALE, "right"), pos.told("0201", &SALE)).await;
    assert_eq!(first.frame, meanwhile.frame);
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(pos.told("0201", &SALE).await.frame, first.frame);
    assert_eq!(pos.told("0200", &SALE).await.frame, first.frame);
}

#[actix_web::test]
async fn a_trace_number_that_was_used_for_something_else_is_a_duplicate() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    pos.sold(&phone, &SALE, "right").await;
    for change in [(4, "000000001251"), (12, "111531")] {
        assert_eq!(pos.told("0200", &sale_but(&[change])).await.code(), ("0210", "94"), "{change:?}");
    }
}

/// All places for what is new are taken; what ends something still finds one.
fn crowd(house: &House) -> Vec<Permit> {
    std::iter::from_fn(|| house.gate.admit(Class::Authorization).ok()).collect()
}

#[actix_web::test]
async fn a_sale_without_a_place_is_declined_and_stays_declined() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let crowd = crowd(&house);
    let told = pos.told("0200", &SALE).await;
    assert_eq!(told.code(), ("0210", "68"));
    drop(crowd);
    // Sent once more on the way, after its terminal printed a slip.
    phone.stand_at("T1").await.expect(200);
    assert_eq!(pos.told("0200", &SALE).await.frame, told.frame);
}

#[actix_web::test]
async fn a_repeat_that_fails_inside_is_told_what_was_decided_and_undoes_nothing() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let paid = pos.sold(&phone, &SALE, "right").await;
    let crowd = crowd(&house);
    assert_eq!(pos.told("0201", &SALE).await.frame, paid.frame);
    assert_eq!(pos.told("0200", &sale_but(&[(4, "000000001251")])).await.code(), ("0210", "94"));
    drop(crowd);
    assert_eq!(pos.told("0201", &SALE).await.frame, paid.frame, "it stands");
}

#[actix_web::test]
async fn an_approval_that_comes_too_late_for_one_asking_is_not_told_and_stands_for_the_next() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let mut asking = std::pin::pin!(pos.ask("0200", &SALE));
    assert!(futures_util::poll!(&mut asking).is_pending());
    phone.stand_at("T1").await.expect(200);
    let confirmed = phone.confirm(&phone.card().await).await.expect(200);
    phone.pay(&confirmed, "right").await.expect(200);
    // It was approved in time, and the thread that would say so stood still.
    tokio::time::advance(PATIENCE + Duration::from_secs(2)).await;
    assert!(asking.await.is_none(), "its terminal does not wait any more");
    assert_eq!(pos.told("0201", &SALE).await.code(), ("0210", "00"));
}

#[actix_web::test]
async fn what_nobody_pays_is_told_in_time() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let began = tokio::time::Instant::now();
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "68"));
    // Five seconds before its patience ends, and what the decision takes.
    assert!(began.elapsed() <= Duration::from_secs(26), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_silent_platform_is_reversed_and_the_terminal_is_told_in_time() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let began = tokio::time::Instant::now();
    let paying = async {
        phone.stand_at("T1").await.expect(200);
        let confirmed = phone.confirm(&phone.card().await).await.expect(200);
        drop(phone.pay(&confirmed, "silent").await);
    };
    let (told, ()) = join(pos.told("0200", &SALE), paying).await;
    assert_eq!(told.code(), ("0210", "91"));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_reversal_takes_back_what_it_names_and_is_repeated_word_for_word() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let paid = pos.sold(&phone, &SALE, "right").await;
    let undone = pos.told("0400", &sale_but(&[(11, "000124"), (39, "68"), (90, DATA)])).await;
    assert_eq!(undone.code(), ("0410", "00"));
    assert_eq!(undone.fields[&37], paid.fields[&37], "it is about the same payment");
    let again = pos.told("0401", &sale_but(&[(11, "000124"), (39, "68"), (90, DATA)])).await;
    assert_eq!(again.frame, undone.frame);
    assert_eq!(pos.told("0201", &SALE).await.code(), ("0210", "68"));
}

#[actix_web::test]
async fn a_reversal_by_our_reference_alone_finds_its_original() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let paid = pos.sold(&phone, &SALE, "right").await;
    let by_reference = sale_but(&[(11, "000124"), (7, "1123000000"), (37, &paid.fields[&37])]);
    assert_eq!(pos.told("0420", &by_reference).await.code(), ("0430", "00"));
    assert_eq!(pos.told("0201", &SALE).await.code(), ("0210", "68"));
}

#[actix_web::test]
async fn a_reversal_that_arrives_first_refuses_its_original() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    assert_eq!(pos.told("0400", &sale_but(&[(11, "000124"), (90, DATA)])).await.code(), ("0410", "00"));
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "68"));
}

#[actix_web::test]
async fn a_line_may_say_that_an_original_is_unknown_and_it_is_refused_all_the_same() {
    let (house, _phone) = stage().await;
    let pos = Pos::speaking("iso87-ascii", &house, ResponseCode::NOT_FOUND);
    // Without original data: its own numbers, of whichever class.
    assert_eq!(pos.told("0400", &SALE).await.code(), ("0410", "25"));
    assert_eq!(pos.told("0100", &SALE).await.code(), ("0110", "68"));
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "68"));
}

#[actix_web::test]
async fn a_reversal_of_what_is_under_way_ends_it_for_both() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let undoing = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        pos.told("0400", &sale_but(&[(11, "000124"), (90, DATA)])).await
    };
    let (sale, undone) = join(pos.told("0200", &SALE), undoing).await;
    assert_eq!((sale.code(), undone.code()), (("0210", "68"), ("0410", "00")));
}

#[actix_web::test]
async fn a_partial_reversal_keeps_what_it_says_and_refunds_never_exceed_the_rest() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    pos.sold(&phone, &SALE, "right").await;
    let kept = "000000001000000000000000000000000000000000";
    let part = sale_but(&[(11, "000124"), (90, DATA), (95, kept)]);
    assert_eq!(pos.told("0400", &part).await.code(), ("0410", "00"));
    assert_eq!(pos.told("0401", &part).await.code(), ("0410", "00"), "the same part again");
    let back = |stan, amount| sale_but(&[(3, "200000"), (4, amount), (11, stan), (90, DATA)]);
    assert_eq!(pos.told("0200", &back("000125", "000000001001")).await.code(), ("0210", "13"));
    assert_eq!(pos.told("0200", &back("000126", "000000001000")).await.code(), ("0210", "00"));
    assert_eq!(pos.told("0201", &back("000126", "000000001000")).await.code(), ("0210", "00"));
    assert_eq!(pos.told("0200", &back("000127", "000000000001")).await.code(), ("0210", "13"));
}

#[actix_web::test]
async fn a_second_partial_reversal_gives_back_what_the_first_did_not() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    pos.sold(&phone, &SALE, "right").await;
    let part = |stan, kept| sale_but(&[(11, stan), (90, DATA), (95, kept)]);
    let [ten, eight, eleven] = ["10", "08", "11"].map(|euros| format!("00000000{euros}00{:030}", 0));
    assert_eq!(pos.told("0400", &part("000124", &ten)).await.code(), ("0410", "00"));
    assert_eq!(pos.told("0400", &part("000125", &eight)).await.code(), ("0410", "00"));
    assert_eq!(pos.told("0401", &part("000124", &ten)).await.code(), ("0410", "00"), "the first again");
    assert_eq!(pos.told("0400", &part("000126", &eleven)).await.code(), ("0410", "13"), "more than is left");
    let back = |stan, amount| sale_but(&[(3, "200000"), (4, amount), (11, stan), (90, DATA)]);
    assert_eq!(pos.told("0200", &back("000127", "000000000801")).await.code(), ("0210", "13"));
    assert_eq!(pos.told("0200", &back("000128", "000000000800")).await.code(), ("0210", "00"));
}

#[actix_web::test]
async fn a_terminal_that_books_a_partial_reversal_as_a_reversal_or_a_smaller_sale_is_in_balance() {
    let kept = format!("000000001000{:030}", 0);
    let part = sale_but(&[(11, "000124"), (90, DATA), (95, &kept)]);
    let reversal =
        [(76, "0000000001"), (77, "0000000001"), (88, "0000000000001250"), (89, "0000000000000250")];
    let smaller = [(76, "0000000001"), (88, "0000000000001000")];
    let forgotten = [(76, "0000000001"), (88, "0000000000001250")];
    let cases: [(&[(u8, &str)], &str); 3] = [(&reversal, "00"), (&smaller, "00"), (&forgotten, "95")];
    tokio::time::pause();
    for (claimed, code) in cases {
        let (house, phone) = opened().await;
        let pos = Pos::on(&house);
        pos.sold(&phone, &SALE, "right").await;
        assert_eq!(pos.told("0400", &part).await.code(), ("0410", "00"));
        tokio::time::advance(Duration::from_secs(1)).await;
        let settling = [(7, "1122101530"), (11, "000201"), (41, "T1"), (50, "978")];
        let told = pos.told("0500", &[&settling, claimed].concat()).await;
        assert_eq!(told.code(), ("0510", code), "{claimed:?}");
        for (n, ours) in reversal {
            assert_eq!(told.fields[&n], ours, "field {n}");
        }
    }
}

#[actix_web::test]
async fn a_completion_for_less_gives_the_rest_back_and_one_of_nothing_is_not_found() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let completion = sale_but(&[(4, "000000001200"), (11, "000124"), (90, DATA)]);
    assert_eq!(pos.told("0220", &completion).await.code(), ("0230", "25"));
    pos.sold(&phone, &SALE, "right").await;
    assert_eq!(pos.told("0220", &completion).await.code(), ("0230", "00"));
    assert_eq!(pos.told("0221", &completion).await.code(), ("0230", "00"));
}

#[actix_web::test]
async fn who_is_not_known_and_what_is_not_offered_is_told_why() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    assert_eq!(pos.told("0200", &sale_but(&[(41, "T9      ")])).await.code(), ("0210", "58"));
    assert_eq!(pos.told("0200", &sale_but(&[(42, "kiosk          ")])).await.code(), ("0210", "03"));
    assert_eq!(pos.told("0200", &sale_but(&[(3, "310000")])).await.code(), ("0210", "40"));
    assert_eq!(pos.told("0200", &sale_but(&[(4, "000000000000")])).await.code(), ("0210", "13"));
    assert_eq!(pos.told("0200", &sale_but(&[(49, "840"), (11, "000124")])).await.code(), ("0210", "92"));
    assert_eq!(
        pos.told("0200", &sale_but(&[(4, "000000050001"), (11, "000125")])).await.code(),
        ("0210", "61")
    );
}

#[actix_web::test]
async fn what_no_platform_offers_is_refused_with_40_and_nothing_happens() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    // Pre-authorization, balance, cash, cash with a purchase; asked for, and told of when it is over.
    for kind in ["030000", "310000", "010000", "090000"] {
        for (mti, answer) in [("0100", "0110"), ("0200", "0210"), ("0120", "0130"), ("0220", "0230")] {
            let told = pos.told(mti, &sale_but(&[(3, kind), (25, "06"), (90, DATA)])).await;
            assert_eq!(told.code(), (answer, "40"), "{mti} {kind}");
        }
    }
    assert_eq!(
        pos.told("0200", &sale_but(&[(3, "310000"), (4, "000000000000")])).await.code(),
        ("0210", "40")
    );
    let union_pay = Pos::speaking("cup-pos", &house, ResponseCode::APPROVED);
    let hold = sale_but(&[(3, "030000"), (7, ""), (25, "06"), (60, "10000001")]);
    assert_eq!(union_pay.told("0100", &hold).await.code(), ("0110", "40"));
    let completion = sale_but(&[(25, "06"), (11, "000124"), (90, DATA)]);
    assert_eq!(pos.told("0200", &completion).await.code(), ("0210", "25"), "of a hold that there never was");
    assert!(house.journal.records().is_empty());
    let given_up = sale_but(&[(3, "030000"), (11, "000125"), (90, DATA)]);
    assert_eq!(pos.told("0400", &given_up).await.code(), ("0410", "00"), "nothing of it stands");
}

#[actix_web::test]
async fn a_type_that_is_not_served_is_told_12_and_a_reversal_after_a_refund_21() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    assert_eq!(pos.told("0600", &SALE).await.code(), ("0610", "12"));
    pos.sold(&phone, &SALE, "right").await;
    let back = sale_but(&[(3, "200000"), (4, "000000000250"), (11, "000124"), (90, DATA)]);
    assert_eq!(pos.told("0200", &back).await.code(), ("0210", "00"));
    let whole = sale_but(&[(11, "000125"), (90, DATA)]);
    assert_eq!(pos.told("0400", &whole).await.code(), ("0410", "21"));
}

#[actix_web::test]
async fn what_cannot_be_read_is_answered_30_where_somebody_can_be_answered() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let sound = pos.written("0200", &SALE);
    let trailing = [&sound[..], b"0"].concat();
    assert_eq!(pos.ask_bytes(trailing.into()).await.unwrap().code(), ("0210", "30"));
    assert!(pos.ask_bytes(sound.slice(..sound.len() - 40)).await.is_none(), "DE 41 was not read");
    assert!(pos.ask_bytes(Bytes::from_static(&[0xff; 40])).await.is_none());
    assert!(pos.ask("0210", &SALE).await.is_none(), "an answer is not answered");
}

/// The keys of a house, by what they are for.
fn keys() -> Vec<ConfiguredKey> {
    let key = |name: &str, role, cipher, digits: &str| {
        ConfiguredKey::new(KeyName::new(name).unwrap(), role, cipher, digits, None).unwrap()
    };
    let local = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
    vec![
        key("zone-aes", KeyRole::Mac, Cipher::Aes128, "000102030405060708090a0b0c0d0e0f"),
        key("zone-tdes", KeyRole::Mac, Cipher::Tdes, "0123456789abcdeffedcba9876543210"),
        key("local", KeyRole::LocalMaster, Cipher::Aes256, local),
        key("terminals", KeyRole::TerminalMaster, Cipher::Tdes, TERMINAL_MASTER),
    ]
}

const TERMINAL_MASTER: &str = "89b07b35a1b3f47e13579bdf02468ace";

fn proof(
    house: &House,
    keys: Vec<ConfiguredKey>,
    mac: Option<MacRules>,
    exchange: Option<Exchange>,
) -> Proof {
    let module = SoftwareSecurityModule::new(keys, Arc::new(SystemDice::new().unwrap())).unwrap();
    Proof { module: Arc::new(module), board: house.board.clone(), mac, exchange }
}

#[actix_web::test]
async fn a_terminal_settles_what_it_sold_and_is_told_what_we_counted() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    pos.sold(&phone, &SALE, "right").await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let claim = |stan, number| {
        let mut fields = vec![(7, "1122101530"), (11, stan), (41, "T1"), (50, "978")];
        fields.extend([(76, number), (88, "0000000000001250")]);
        fields
    };
    let wrong = pos.told("0500", &claim("000201", "0000000002")).await;
    assert_eq!((wrong.code(), wrong.fields[&66].as_str()), (("0510", "95"), "2"));
    assert_eq!((wrong.fields[&76].as_str(), wrong.fields[&88].as_str()), ("0000000001", "0000000000001250"));
    let again = pos.told("0501", &claim("000201", "0000000002")).await;
    assert_eq!(again.frame, wrong.frame, "word for word");
    assert_eq!(pos.told("0500", &claim("000201", "0000000001")).await.code(), ("0510", "94"));
}

#[actix_web::test]
async fn a_switch_that_is_about_to_stop_declines_for_good() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    house.gate.drain();
    let told = pos.told("0200", &SALE).await;
    assert_eq!(told.code(), ("0210", "68"));
    assert_eq!(pos.told("0201", &SALE).await.frame, told.frame);
}

#[actix_web::test]
async fn sign_on_echo_and_sign_off_are_answered_with_what_they_brought() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    for code in ["001", "301", "002"] {
        let told = pos.told("0800", &[(7, "1122101530"), (11, "000001"), (41, "T1      "), (70, code)]).await;
        assert_eq!((told.code(), told.fields[&70].as_str()), (("0810", "00"), code));
    }
}
