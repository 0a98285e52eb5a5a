//! Nothing that the switch writes or says of a terminal's message holds a card's number, a track, a PIN block or a chip's data.
//!
//! A real `turnout serve` that logs everything it can is sold to with cards in every dialect, and hears them cut, flipped, and
//! where they do not belong. Then all that it ever wrote or said is searched: for these cards (`secrets::search`), and for
//! any number that could be some card's (`numbers`). Both searches have to find what is planted.
mod card;
mod numbers;

use crate::house::{Log, Site, TillKey, heard, hex, turnout};
use crate::secrets::search::{Hit, Writings, hits, planted};
use crate::secrets::visit::told_to_operators;
use crate::secrets::{files, told_from_the_journal};
use actors::domain::identity::TerminalId;
use adapters::iso8583::framing::{Deframer, Frame, Framing};
use adapters::iso8583::message::Message;
use adapters::iso8583::trace::{Class, Day, Period, Trace};
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::seal::Credential;
use bytes::{Bytes, BytesMut};
use card::{CARDS, Card, bare_secrets, secrets};
use numbers::card_numbers;
use rusqlite::types::ValueRef;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SUBSCRIBER: &str = "+9990001411";
const CREDENTIAL: Credential<'_> = Credential { account: "everybody", password: "one-for-all" };
const LISTENS: Duration = Duration::from_mins(1);
/// Bytes of messages and of tables, where one number follows another: searched for these cards alone.
const ON_THE_WIRE: &str = ", on the wire";
const READ_MODEL: &str = "read-model.sqlite";
const MAC_KEY: &str = "3f7a1c9e5b2d8f604e81a7c3d5f92b6c";

#[actix_web::test]
async fn no_card_that_a_terminal_reads_is_kept_or_told_however_much_is_logged() {
    let (site, lines) = site();
    let log = site.folder.path().join("log");
    let mut switch = site.opened(Log::Everything(&log)).await;
    let mut writings = Writings::new();
    let mut phone = site.phone();
    phone.log_in_by_shown_code(SUBSCRIBER).await.unwrap();
    for (card, line) in CARDS.iter().zip(&lines) {
        paid_and_taken_back(&site, card, line, &mut phone, &mut writings).await;
    }
    for (card, line) in CARDS.iter().zip(&lines) {
        let spoiled = line.say(&card.spoiled()).await;
        assert!(spoiled.len() > 50, "{}: {} answers prove nothing", card.dialect, spoiled.len());
        keep_answers(card, "bad messages", &spoiled, &mut writings);
    }
    astray(&site, &lines, &mut writings).await;
    let payment = payment_of(&CARDS[0]);
    told_to_operators(&site, &payment, &mut writings).await;
    files(site.folder.path(), &mut writings);
    let pid = rustix::process::Pid::from_raw(i32::try_from(switch.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(switch.wait().await.unwrap().success());
    told_from_the_journal(&site, &payment, &mut writings).await;
    files(site.folder.path(), &mut writings);
    told_by_the_tool(&mut writings).await;
    writings.insert("the read model, value by value".to_owned(), values_of(&site));

    each_place_is_what_it_should_be(&writings);
    let leaked: BTreeSet<Hit> = hits(&writings, &secrets());
    assert!(leaked.is_empty(), "{leaked:#?}");
    let is_packed = |place: &str| place.ends_with(ON_THE_WIRE) || place.starts_with(READ_MODEL);
    let told = writings.iter().filter(|(place, _)| !is_packed(place));
    let numbers =
        told.flat_map(|(place, bytes)| card_numbers(bytes).into_iter().map(move |number| (place, number)));
    let numbers: Vec<(&String, String)> = numbers.collect();
    assert!(numbers.is_empty(), "these could be cards: {numbers:#?}");
}

/// Positive controls: both searches find what is planted.
#[test]
fn a_planted_card_is_found_in_every_coding() {
    let text = "at 2029-11-22T10:15:30.123456Z 1.0047617390010101 of T0 and 6011000990139425\n".repeat(30);
    let plain: Writings = [("log".to_owned(), text.clone().into_bytes())].into();
    assert!(hits(&plain, &secrets()).is_empty() && card_numbers(text.as_bytes()).is_empty());
    for (secret, bare) in secrets().into_iter().zip(bare_secrets()) {
        let mut codings = BTreeSet::new();
        for planted in planted(&bare) {
            let bytes = [text.as_bytes(), &planted, text.as_bytes()].concat();
            let found = hits(&[("log".to_owned(), bytes)].into(), std::slice::from_ref(&secret));
            let name = secret.name;
            assert!(!found.is_empty(), "{name}: {} was not found", String::from_utf8_lossy(&planted));
            codings.extend(found.into_iter().map(|hit| hit.coding));
        }
        assert_eq!(codings, secret.codings(), "{}", secret.name);
    }
}

#[test]
fn a_number_that_could_be_a_card_s_is_found_whoever_s_it_is() {
    // Test numbers of other schemes than the stories use.
    let number = "6011000990139424";
    let dump = hex(number.as_bytes());
    let wide: String = number.chars().flat_map(|digit| [digit, '\0']).collect();
    for written in [
        format!("card {number}."),
        format!("[{number}]"),
        format!("{{\"n\":{number}}}"),
        format!("02007{dump}5e"),
        format!("d0{dump}5f"),
        wide,
        "6011 0009 9013 9424".to_owned(),
        "6011-0009-9013-9424".to_owned(),
    ] {
        assert_eq!(card_numbers(written.as_bytes()), BTreeSet::from([number.to_owned()]), "{written}");
    }
    for harmless in ["6011000990139425", "00000000000000", "12.6011000990139424", "6011000990139424000000"] {
        assert!(card_numbers(harmless.as_bytes()).is_empty(), "{harmless}");
    }
}

/// A line of the house, from outside.
struct At {
    port: u16,
    framing: Framing,
}

impl At {
    /// Sends these messages on one connection; what is answered, in the order in which it comes.
    async fn say(&self, messages: &[Bytes]) -> Vec<Bytes> {
        let mut wire = BytesMut::new();
        for message in messages {
            // What is too short for a frame is framed by hand.
            if self.framing.wrap(&self.framing.plain_header(), message, &mut wire).is_err() {
                self.framing
                    .within(1, 8192)
                    .unwrap()
                    .wrap(&self.framing.plain_header(), message, &mut wire)
                    .unwrap();
            }
        }
        let mut deframer = Deframer::new(self.framing);
        deframer.push(&bytes_heard(self.port, &wire).await);
        let mut answers = Vec::new();
        while let Some(Frame::Message { body, .. }) = deframer.next_frame().unwrap() {
            answers.push(body);
        }
        answers
    }
}

/// Sends bytes, ends, and listens to the end.
async fn bytes_heard(port: u16, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
    let mut heard = Vec::new();
    let talking = async {
        let speaking = async {
            // Who is hung up on has said enough.
            drop(to.write_all(bytes).await);
            drop(to.shutdown().await);
        };
        let ((), read) = tokio::join!(speaking, from.read_to_end(&mut heard));
        drop(read);
    };
    tokio::time::timeout(LISTENS, talking).await.expect("a connection that does not end");
    heard
}

fn site() -> (Site, Vec<At>) {
    let till = |number| TillKey { id: format!("T{number}"), key: format!("key-of-till-{number}") };
    let site = Site::new((0..4).map(till).collect(), CREDENTIAL);
    let opened = |name: &str, dialect: &str, framing: &str, more: &str| {
        let words = format!(
            "dialect = {dialect:?}\nframing = {framing:?}\nbad_messages_max = 10000\npatience_seconds = 20\n{more}"
        );
        At { port: site.with_line(name, &words), framing: framing.parse().unwrap() }
    };
    let mut lines: Vec<At> =
        CARDS.iter().map(|card| opened(card.terminal, card.dialect, card.framing, "")).collect();
    let proven = "mac = { algorithm = \"aes-cmac\", key = \"zone-mac\" }";
    lines.push(opened("proven", CARDS[0].dialect, CARDS[0].framing, proven));
    let key = site.folder.path().join("zone-mac.key");
    std::fs::write(&key, MAC_KEY).unwrap();
    let key = key.to_str().unwrap();
    let words = format!(
        "[[key]]\nname = \"zone-mac\"\nrole = \"mac\"\ncipher = \"aes128\"\nsecret = {{ file = {key:?} }}\n[[platform]]"
    );
    site.reconfigure("[[platform]]", &words);
    (site, lines)
}

/// A sale that the phone pays, repeated, taken back, and everything else that a card is read for.
async fn paid_and_taken_back(
    site: &Site,
    card: &Card,
    line: &At,
    phone: &mut Phone,
    writings: &mut Writings,
) {
    phone.bind(card.terminal).await.unwrap();
    let sealer = DiceSealer(site.surroundings.dice.clone());
    let paying = async {
        let mut events = phone.events().unwrap();
        let asked = phone.awaits_confirmation(&mut events, Some(card.terminal)).await.unwrap();
        phone.play(asked, Script::Pay(&[CREDENTIAL]), &sealer).await.unwrap();
    };
    let sale = [card.message("0200", "1250", 100)];
    let (mut answers, ()) = tokio::join!(line.say(&sale), paying);
    assert_eq!(codes(card, &answers), ["00"], "{}", card.dialect);
    for (mti, amount, code) in [
        ("0201", "1250", "00"),
        ("0200", "1300", "94"),
        ("0400", "1250", "00"),
        ("0401", "1250", "00"),
        ("0201", "1250", "68"),
        ("0220", "1200", "12"),
        ("0100", "950000", "61"),
    ] {
        let answered = line.say(&[card.message(mti, amount, 100)]).await;
        assert_eq!(codes(card, &answered), [code], "{} {mti}", card.dialect);
        answers.extend(answered);
    }
    answers.extend(line.say(&[card.sign_on()]).await);
    keep_answers(card, "sound messages", &answers, writings);
}

fn codes(card: &Card, answers: &[Bytes]) -> Vec<String> {
    let code = |answer: &Bytes| {
        let answer = Message::parse(card.dialect(), answer).unwrap();
        answer.text(39).unwrap().to_string()
    };
    answers.iter().map(code).collect()
}

/// The answers as they came, and field by field: digits of two fields that stand side by side are no number.
fn keep_answers(card: &Card, what: &str, answers: &[Bytes], writings: &mut Writings) {
    let mut text = String::new();
    for answer in answers {
        let read = Message::parse(card.dialect(), answer).unwrap();
        for n in read.fields() {
            let field = read.text(n).map(|text| text.to_string()).unwrap_or_default();
            writeln!(text, "{n}: {field}").unwrap();
        }
    }
    let place = format!("answers to {what} in {}", card.dialect);
    writings.insert(format!("{place}{ON_THE_WIRE}"), answers.concat());
    writings.insert(place, text.into_bytes());
}

/// Cards where they do not belong: in other dialects, without a frame, in half a frame, without a proof, at other doors.
async fn astray(site: &Site, lines: &[At], writings: &mut Writings) {
    let sale = |card: &Card| card.message("0200", "950000", 800);
    for (at, line) in lines.iter().enumerate() {
        let others: Vec<Bytes> = CARDS.iter().map(sale).collect();
        let answers = line.say(&others).await.concat();
        writings.insert(format!("answers of line {at} to all dialects{ON_THE_WIRE}"), answers);
        for card in &CARDS {
            let bare = sale(card);
            let mut framed = BytesMut::new();
            line.framing.wrap(&line.framing.plain_header(), &bare, &mut framed).unwrap();
            let heard = [
                bytes_heard(line.port, &bare).await,
                bytes_heard(line.port, &framed[..framed.len() / 2]).await,
            ];
            writings.insert(
                format!("said by line {at} to half of {}{ON_THE_WIRE}", card.dialect),
                heard.concat(),
            );
        }
    }
    let proven = lines.last().unwrap();
    let refused = proven.say(&[CARDS[0].with_a_wrong_mac(), sale(&CARDS[0])]).await;
    assert_eq!(codes(&CARDS[0], &refused), ["63", "63"]);
    keep_answers(&CARDS[0], "what nobody proved", &refused, writings);
    for (door, port) in
        [("phones", site.ports.phones), ("terminals", site.ports.terminals), ("operators", site.ports.admin)]
    {
        for card in &CARDS {
            let heard = bytes_heard(port, &sale(card)).await;
            writings.insert(format!("said by the {door}' door of {}", card.dialect), heard);
        }
        let number = "4111111111111111";
        for request in [
            format!("GET /v1/payments/{number} HTTP/1.1\r\n"),
            format!("GET /v1/payments?terminal={number} HTTP/1.1\r\n"),
            format!("POST /v1/payments HTTP/1.1\r\nX-Card: {number}\r\n"),
        ] {
            let request = format!("{request}Host: localhost\r\nConnection: close\r\n\r\n");
            let answer = heard(port, request.as_bytes(), LISTENS).await;
            writings.insert(format!("said at the {door}' door to {request}"), answer.text.into_bytes());
        }
    }
}

/// `turnout iso decode`, of what can be read and of what cannot, given whole, cut and mistyped.
async fn told_by_the_tool(writings: &mut Writings) {
    for card in &CARDS {
        let message = card.message("0200", "1250", 100);
        let digits = hex(&message);
        for (what, digits) in [
            ("whole", &digits[..]),
            ("cut", &digits[..digits.len() / 2 * 2 - 30]),
            ("mistyped", &digits[..digits.len() - 1]),
        ] {
            let output =
                turnout().args(["iso", "decode", "--dialect", card.dialect, digits]).output().await.unwrap();
            assert_eq!(output.status.success(), what == "whole", "{}", card.dialect);
            let place = format!("turnout iso decode, {what}, {}", card.dialect);
            writings.insert(place, [output.stdout, output.stderr].concat());
        }
    }
    for field in [
        "2=4761739001010119x",
        "2:4761739001010119",
        "x=4761739001010119",
        "52=A7C93F5E6BB2D4F8A7C93F5E6BB2D4F8",
    ] {
        let output = turnout().args(["iso", "encode", "0200", field]).output().await.unwrap();
        assert!(!output.status.success());
        let (place, said) = (format!("turnout iso encode, field {}", &field[..2]), output.stderr);
        writings.entry(place).or_default().extend(said);
    }
}

/// Everything in the read model, a value a line.
fn values_of(site: &Site) -> Vec<u8> {
    let model = rusqlite::Connection::open(site.folder.path().join(READ_MODEL)).unwrap();
    let mut tables = model.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut text = Vec::new();
    for table in tables.map(Result::unwrap) {
        let mut all = model.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for value in (0..columns).map(|at| row.get_ref(at).unwrap()) {
                match value {
                    ValueRef::Text(bytes) => text.extend_from_slice(bytes),
                    ValueRef::Blob(bytes) => text.extend_from_slice(hex(bytes).as_bytes()),
                    number => text.extend_from_slice(format!("{number:?}").as_bytes()),
                }
                text.push(b'\n');
            }
        }
    }
    text
}

/// As the journal and the operators name what was sold first with this card.
fn payment_of(card: &Card) -> String {
    let period = Period::Day(Day::of_mmdd(1122).unwrap());
    let trace = Trace::new(Class::Financial, 100, period).unwrap();
    trace.payment(TerminalId::new(card.terminal).unwrap()).unwrap().to_string()
}

fn each_place_is_what_it_should_be(writings: &Writings) {
    let contains = |place: &str, known: &str| {
        let bytes = &writings[place];
        bytes.windows(known.len()).any(|window| window == known.as_bytes())
    };
    assert!(writings["log"].len() > 10_000, "a switch that says nothing proves nothing");
    for (place, known) in [
        ("log", "a message that cannot be read"),
        ("log", "a message without a proof of its origin"),
        ("journal/0000000001.segment", "iso-2-000100-1122"),
        ("/metrics", "turnout_line_messages_total"),
        ("/v1/lines", "cup-pos"),
        ("/v1/terminals", "T3"),
        ("/v1/payments", "000100 11:15:30"),
        ("turnout trace", "took the money"),
        ("the read model, value by value", "Kiosk"),
        ("turnout iso decode, whole, iso87-bcd", "411111******1111"),
    ] {
        assert!(contains(place, known), "{place} is not what it should be");
    }
}
