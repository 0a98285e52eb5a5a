//! Terminals that prove who they are: MACs, the keys for them, and what a stranger cannot do.
use super::{Pos, SALE, TERMINAL_MASTER, Told, keys, proof, stage};
use crate::world::{House, house};
use actors::domain::identity::KeyName;
use actors::domain::response_code::ResponseCode;
use actors::ports::security_module::{Cipher, HandOverForm, KeyRef, KeyRole, MacAlgorithm, Purpose, Way};
use adapters::iso8583::builder::{BuildFault, Builder};
use adapters::iso8583::ksn::KsnPlace;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use adapters::security_module::dukpt::tdes;
use adapters::security_module::mac::MacKey;
use adapters::security_module::secret::SecretKey;
use adapters::security_module::{ConfiguredKey, key_block};
use bytes::{Bytes, BytesMut};
use switch::iso::{Dukpt, Exchange, MacKeyRule, MacRules};
use switch::line::Answering;

/// A line's MAC under a key that is in the house.
fn mac_rules(algorithm: MacAlgorithm) -> MacRules {
    let name = if algorithm == MacAlgorithm::AesCmac { "zone-aes" } else { "zone-tdes" };
    let key = MacKeyRule::Named(KeyName::new(name).unwrap());
    MacRules { algorithm, key, refusal: ResponseCode::SECURITY_VIOLATION }
}

/// A message with the MAC that `key` makes of it.
async fn sealed(pos: &Pos, key: KeyRef, mti: &str, fields: &[(u8, &str)]) -> Bytes {
    let (proof, rules) = (pos.door.proof(), pos.door.proof().mac.unwrap());
    let covered = covered(pos, mti, fields);
    let mac = proof.module.mac(key, rules.algorithm, &covered).await.unwrap();
    with_mac(pos, mti, fields, mac.0)
}

fn covered(pos: &Pos, mti: &str, fields: &[(u8, &str)]) -> Vec<u8> {
    let (mut covered, mut draft) = (Vec::new(), BytesMut::new());
    let note = |bytes: &[u8]| {
        covered.extend_from_slice(bytes);
        Ok::<_, BuildFault>([0; 8])
    };
    built(pos, mti, fields).finish_with_mac(&mut draft, note).unwrap();
    covered
}

fn with_mac(pos: &Pos, mti: &str, fields: &[(u8, &str)], mac: [u8; 8]) -> Bytes {
    let mut out = BytesMut::new();
    built(pos, mti, fields).finish_with_mac(&mut out, |_| Ok::<_, BuildFault>(mac)).unwrap();
    out.freeze()
}

fn built(pos: &Pos, mti: &str, fields: &[(u8, &str)]) -> Builder<'static> {
    let mut builder = Builder::new(pos.dialect, Mti::parse(mti.as_bytes()).unwrap());
    for (n, value) in fields {
        builder.set(*n, value).unwrap();
    }
    builder
}

fn named(rules: MacRules) -> KeyRef {
    match rules.key {
        MacKeyRule::Named(name) => KeyRef::Named(name),
        MacKeyRule::Working(_) | MacKeyRule::Dukpt(_) => panic!("a derived key has no name"),
    }
}

#[actix_web::test]
async fn on_a_line_with_macs_what_is_proven_is_served_and_answered_with_one() {
    tokio::time::pause();
    for (algorithm, dialect) in [
        (MacAlgorithm::X919, "iso87-ascii"),
        (MacAlgorithm::AesCmac, "iso87-ascii-bin"),
        (MacAlgorithm::Iso16609Tdes, "iso87-bcd"),
        (MacAlgorithm::X919Left4, "iso87-bcd"),
    ] {
        let house = house();
        let rules = mac_rules(algorithm);
        let proof = proof(&house, keys(), Some(rules), None);
        let pos = Pos::proven_by(proof, dialect, &house, ResponseCode::APPROVED);
        let echo =
            sealed(&pos, named(rules), "0800", &[(7, "1122101530"), (11, "000001"), (41, "T1"), (70, "301")])
                .await;
        let told = pos.ask_bytes(echo).await.unwrap();
        assert_eq!(told.code(), ("0810", "00"), "{algorithm:?}");
        let answer = Message::parse(pos.dialect, &told.frame).unwrap();
        let scope = answer.mac_scope().expect("an answer with a MAC");
        let module = &pos.door.proof().module;
        assert_eq!(module.verify_mac(named(rules), algorithm, scope.covered, &scope.mac).await, Ok(()));
    }
}

#[actix_web::test]
async fn on_a_line_with_macs_what_is_not_proven_is_refused_and_does_nothing() {
    let (house, _phone) = stage().await;
    let rules = mac_rules(MacAlgorithm::X919);
    let proof = proof(&house, keys(), Some(rules), None);
    let pos = Pos::proven_by(proof, "iso87-bcd", &house, ResponseCode::APPROVED);
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "63"), "without a MAC");
    let mut forged = sealed(&pos, named(rules), "0200", &SALE).await.to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(pos.ask_bytes(forged.into()).await.unwrap().code(), ("0210", "63"), "with a wrong one");
    let mut changed = sealed(&pos, named(rules), "0200", &SALE).await.to_vec();
    // The amount's last digit but one.
    let amount = changed.windows(6).position(|bytes| bytes == [0, 0, 0, 0, 0x12, 0x50]).unwrap();
    changed[amount + 4] = 0x92;
    assert_eq!(pos.ask_bytes(changed.into()).await.unwrap().code(), ("0210", "63"), "of another message");
    let free = pos.told("0800", &[(7, "1122101530"), (11, "000001"), (41, "T1"), (70, "001")]).await;
    assert_eq!(free.code(), ("0810", "00"), "a terminal signs on before it has a key");
    assert!(house.journal.records().is_empty(), "nothing of it was taken in");
}

#[actix_web::test]
async fn a_mac_that_cannot_be_checked_is_88_and_a_wrong_one_of_union_pay_a0() {
    let (house, _phone) = stage().await;
    let rules = mac_rules(MacAlgorithm::X919);
    let none = proof(&house, Vec::new(), Some(rules), None);
    let without_keys = Pos::proven_by(none, "iso87-ascii", &house, ResponseCode::APPROVED);
    let message = with_mac(&without_keys, "0800", &echo("000001"), [0; 8]);
    assert_eq!(without_keys.ask_bytes(message).await.unwrap().code(), ("0810", "88"));
    let rules = MacRules { refusal: ResponseCode::MAC_ERROR, ..mac_rules(MacAlgorithm::CupEcb) };
    let proof = proof(&house, keys(), Some(rules), None);
    let union_pay = Pos::proven_by(proof, "cup-pos", &house, ResponseCode::APPROVED);
    let sale =
        [(3, "000000"), (4, "000000001250"), (11, "000123"), (41, "T1"), (49, "978"), (60, "22000001")];
    let message = with_mac(&union_pay, "0200", &sale, [0; 8]);
    assert_eq!(union_pay.ask_bytes(message).await.unwrap().code(), ("0210", "A0"));
}

/// Asks for working keys, proven by nothing, and opens them as the terminal that holds the master key.
async fn rekeyed(pos: &Pos, stan: &str) -> SecretKey {
    let told = pos.told("0800", &[(7, "1122101530"), (11, stan), (41, "T1"), (70, "161")]).await;
    assert_eq!(told.code(), ("0810", "00"));
    let blocks = &told.fields[&48];
    // Each block says in its second to fifth character how long it is: the PIN key's, then the MAC key's.
    let first: usize = blocks[1..5].parse().unwrap();
    let master = SecretKey::from_hex(Cipher::Tdes, TERMINAL_MASTER).unwrap();
    let (_, key) = key_block::unwrap(&master, &blocks[first..]).unwrap();
    key
}

fn echo(stan: &str) -> Vec<(u8, &str)> {
    vec![(7, "1122101530"), (11, stan), (41, "T1"), (70, "301")]
}

async fn echoed_with(pos: &Pos, key: &SecretKey, stan: &str) -> Told {
    let rules = pos.door.proof().mac.unwrap();
    let mac = MacKey::new(rules.algorithm, key).unwrap().mac(&covered(pos, "0800", &echo(stan)));
    pos.ask_bytes(with_mac(pos, "0800", &echo(stan), mac.0)).await.unwrap()
}

/// A terminal of a line whose messages are proven by working keys.
fn with_working_keys(house: &House) -> Pos {
    let key = MacKeyRule::Working(Cipher::Tdes);
    let rules = MacRules { algorithm: MacAlgorithm::X919, key, refusal: ResponseCode::SECURITY_VIOLATION };
    let form = HandOverForm::KeyBlocks { cipher: Cipher::Tdes, algorithm: rules.algorithm };
    let exchange = Exchange { under: KeyName::new("terminals").unwrap(), form };
    let proof = proof(house, keys(), Some(rules), Some(exchange));
    Pos::proven_by(proof, "iso87-ascii", house, ResponseCode::APPROVED)
}

#[actix_web::test]
async fn a_terminal_that_is_handed_working_keys_proves_itself_with_them_and_with_the_last_ones() {
    let (house, _phone) = stage().await;
    let pos = with_working_keys(&house);
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "63"), "it has no key yet");
    let first = rekeyed(&pos, "000001").await;
    assert_eq!(echoed_with(&pos, &first, "000002").await.code(), ("0810", "00"));
    let second = rekeyed(&pos, "000003").await;
    assert_eq!(echoed_with(&pos, &first, "000004").await.code(), ("0810", "00"), "it may not have heard");
    assert_eq!(echoed_with(&pos, &second, "000005").await.code(), ("0810", "00"));
    assert_eq!(echoed_with(&pos, &first, "000006").await.code(), ("0810", "63"), "it has heard");
    let third = rekeyed(&pos, "000007").await;
    assert_eq!(echoed_with(&pos, &second, "000008").await.code(), ("0810", "00"));
    assert_eq!(echoed_with(&pos, &third, "000009").await.code(), ("0810", "00"));
}

#[actix_web::test]
async fn a_stranger_who_asks_for_keys_a_hundred_times_does_not_silence_the_terminal() {
    let (house, _phone) = stage().await;
    let pos = with_working_keys(&house);
    let asked_by_a_stranger = async || {
        for stan in 0..100 {
            rekeyed(&pos, &format!("{:06}", 900_000 + stan)).await;
        }
        house.journal.records().len()
    };
    let first = rekeyed(&pos, "000001").await;
    asked_by_a_stranger().await;
    assert_eq!(echoed_with(&pos, &first, "000002").await.code(), ("0810", "00"), "before it used its keys");
    let records = asked_by_a_stranger().await;
    assert_eq!(echoed_with(&pos, &first, "000003").await.code(), ("0810", "00"), "while it uses them");
    assert_eq!(asked_by_a_stranger().await, records, "nor does he fill the journal");
    let second = rekeyed(&pos, "000004").await;
    asked_by_a_stranger().await;
    for (key, stan) in [(&first, "000005"), (&second, "000006")] {
        assert_eq!(echoed_with(&pos, key, stan).await.code(), ("0810", "00"), "when it was given others");
    }
}

#[actix_web::test]
async fn a_line_without_working_keys_has_none_to_give() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let asked = [(7, "1122101530"), (11, "000001"), (41, "T1"), (70, "161")];
    assert_eq!(pos.told("0800", &asked).await.code(), ("0810", "40"));
}

#[actix_web::test]
async fn a_union_pay_terminal_signs_on_whether_or_not_there_are_keys_for_it() {
    let (house, _phone) = stage().await;
    let sign_on = [(11, "000001"), (41, "T1"), (42, "corner"), (60, "00000001003")];
    let without = Pos::speaking("cup-pos", &house, ResponseCode::APPROVED);
    assert_eq!(without.told("0800", &sign_on).await.code(), ("0810", "00"));
    let form = HandOverForm::Cryptograms { mac: Cipher::Tdes };
    let exchange = Exchange { under: KeyName::new("terminals").unwrap(), form };
    let proof = proof(&house, keys(), None, Some(exchange));
    let with = Pos::proven_by(proof, "cup-pos", &house, ResponseCode::APPROVED);
    let reply = with.door.answer(&with.line, with.written("0800", &sign_on)).await.reply.unwrap();
    let answer = Message::parse(with.dialect, &reply).unwrap();
    assert_eq!((answer.text(39).unwrap().to_string().as_str(), answer.raw(62).unwrap().len()), ("00", 40));
}

const DUKPT_BASE: &str = "0123456789ABCDEFFEDCBA9876543210";

/// The key that a terminal with this counter of the standard's example makes a MAC with, or checks one with.
fn dukpt_key(counter: &str, way: Way) -> SecretKey {
    let base = SecretKey::from_hex(Cipher::Tdes, DUKPT_BASE).unwrap();
    let ksn = ksn(counter);
    tdes::message_key(&base, ksn.first_chunk().unwrap()).unwrap().variant(Purpose::Mac, way)
}

fn ksn(counter: &str) -> Vec<u8> {
    hex(&format!("FFFF9876543210{counter}"))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[actix_web::test]
async fn a_terminal_with_dukpt_proves_each_message_with_a_key_of_its_own_and_is_answered_with_the_counterpart()
 {
    // ANSI X9.24-1: what the published example's keys make of its text.
    let published = MacKey::new(MacAlgorithm::X919, &dukpt_key("E00001", Way::FromTerminal)).unwrap();
    assert_eq!(published.mac(b"4012345678909D987").0.to_vec(), hex("9CCC78173FC4FB64"));
    let published = MacKey::new(MacAlgorithm::X919, &dukpt_key("E00001", Way::ToTerminal)).unwrap();
    assert_eq!(published.mac(b"4012345678909D987").0.to_vec(), hex("20364223C1FF00FA"));

    let (house, phone) = stage().await;
    let name = KeyName::new("dukpt").unwrap();
    let base = ConfiguredKey::new(name, KeyRole::DukptBase, Cipher::Tdes, DUKPT_BASE, None).unwrap();
    let place = KsnPlace::new(63, "DF01").unwrap();
    let key = MacKeyRule::Dukpt(Dukpt { base: name, cipher: Cipher::Tdes, place });
    let rules = MacRules { algorithm: MacAlgorithm::X919, key, refusal: ResponseCode::SECURITY_VIOLATION };
    let proof = proof(&house, vec![base], Some(rules), None);
    let pos = Pos::proven_by(proof, "iso87-ascii", &house, ResponseCode::APPROVED);
    let said = |stan, counter: &str, item: &str| {
        let fields = [(7, "1122101530"), (11, stan), (41, "T1"), (63, item), (70, "301")];
        let key = MacKey::new(rules.algorithm, &dukpt_key(counter, Way::FromTerminal)).unwrap();
        with_mac(&pos, "0800", &fields, key.mac(&covered(&pos, "0800", &fields)).0)
    };
    for (stan, counter) in [("000001", "E00001"), ("000002", "E00002"), ("000003", "E00005")] {
        let told = pos.ask_bytes(said(stan, counter, &place.written(&ksn(counter)))).await.unwrap();
        assert_eq!(told.code(), ("0810", "00"), "{counter}");
        let answer = Message::parse(pos.dialect, &told.frame).unwrap();
        let scope = answer.mac_scope().expect("an answer with a MAC");
        let made_by = |way| MacKey::new(rules.algorithm, &dukpt_key(counter, way)).unwrap();
        assert!(made_by(Way::ToTerminal).verifies(scope.covered, &scope.mac), "{counter}");
        assert!(!made_by(Way::FromTerminal).verifies(scope.covered, &scope.mac), "nobody can send it back");
    }
    let sound = place.written(&ksn("E00007"));
    let (unused, exhausted) = (place.written(&ksn("E00000")), place.written(&ksn("FFFFFF")));
    let items = [
        ("another key's", place.written(&ksn("E00008"))),
        ("twice", format!("{sound}{sound}")),
        ("under another tag", sound.replace("DF01", "DF02")),
        ("too short", "DF0102FFFF".to_owned()),
        ("no digits", "what is a KSN".to_owned()),
        ("not counted yet", unused),
        ("of no terminal", exhausted),
    ];
    for (what, item) in items {
        let told = pos.ask_bytes(said("000009", "E00007", &item)).await.unwrap();
        assert_eq!(told.code(), ("0810", "63"), "{what}");
    }
    assert_eq!(pos.ask_bytes(said("000009", "E00007", &sound)).await.unwrap().code(), ("0810", "00"));
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "63"), "without a MAC");
    drop(phone);
}

#[actix_web::test]
async fn with_aes_dukpt_the_published_keys_of_a_terminals_first_message_prove_it() {
    // ANSI X9.24-3: the example's keys for its first message, as published.
    let [makes, checks] =
        ["A2DC23DE6FDE0824A2BC321E08E4B8B7", "DBB463945B286C07CD3AD82EE96FD9C9"].map(|digits| {
            MacKey::new(MacAlgorithm::AesCmac, &SecretKey::from_hex(Cipher::Aes128, digits).unwrap())
        });
    let (house, _phone) = stage().await;
    let (name, digits) = (KeyName::new("dukpt").unwrap(), "FEDCBA9876543210F1F1F1F1F1F1F1F1");
    let base = ConfiguredKey::new(name, KeyRole::DukptBase, Cipher::Aes128, digits, None).unwrap();
    let place = KsnPlace::new(48, "C0").unwrap();
    let key = MacKeyRule::Dukpt(Dukpt { base: name, cipher: Cipher::Aes128, place });
    let refusal = ResponseCode::SECURITY_VIOLATION;
    let rules = MacRules { algorithm: MacAlgorithm::AesCmac, key, refusal };
    let pos = Pos::proven_by(
        proof(&house, vec![base], Some(rules), None),
        "iso87-bcd",
        &house,
        ResponseCode::APPROVED,
    );
    let item = place.written(&hex("123456789012345600000001"));
    let fields = [(7, "1122101530"), (11, "000001"), (41, "T1"), (48, item.as_str()), (70, "301")];
    let mac = makes.unwrap().mac(&covered(&pos, "0800", &fields));
    let told = pos.ask_bytes(with_mac(&pos, "0800", &fields, mac.0)).await.unwrap();
    assert_eq!(told.code(), ("0810", "00"));
    let answer = Message::parse(pos.dialect, &told.frame).unwrap();
    let scope = answer.mac_scope().expect("an answer with a MAC");
    assert!(checks.unwrap().verifies(scope.covered, &scope.mac));
}
