//! Keys that are refused, KSNs of terminals without keys, the derivation of working keys, and their hand-over.
use super::{TestDice, hex, key, module, name, sample_keys, upper};
use actors::ports::contract::{complete, samples};
use actors::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyProblem, KeyRef, KeyRole, MacAlgorithm, ModuleFault, Purpose,
    SecurityModule,
};
use adapters::security_module::dukpt::{KsnFault, aes, tdes};
use adapters::security_module::key_exchange::{self, CryptogramFault};
use adapters::security_module::mac::MacKey;
use adapters::security_module::secret::{self, KeyFault, SecretKey};
use adapters::security_module::{ConfiguredKey, KeysFault, SoftwareSecurityModule, key_block};
use std::sync::Arc;

const GENERATION: Generation = Generation::from_bits(0x0123_4567_89AB_CDEF);
const TDES: &str = "0123456789ABCDEFFEDCBA9876543210";
const TMK: &str = "5B9D2A41C7E08F134A68D5F2013BC79E";
const TMK_AES: &str = "88E1AB2A2E3DD38C1FA039A536500CC8";

#[test]
fn a_key_has_its_ciphers_length() {
    for cipher in [Cipher::Des, Cipher::Tdes, Cipher::Tdes3, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
        for length in (0..40).filter(|length| *length != cipher.key_len()) {
            let fault = KeyFault::Length { cipher, wanted: cipher.key_len(), found: length };
            assert_eq!(SecretKey::new(cipher, &vec![7; length]).unwrap_err(), fault);
        }
    }
}

#[test]
fn weak_keys_equal_halves_and_placeholders_are_refused() {
    let refused = [
        (Cipher::Des, "0000000000000000"),
        (Cipher::Des, "0101010101010101"),
        (Cipher::Des, "FEFEFEFEFEFEFEFE"),
        (Cipher::Des, "FFFFFFFFFFFFFFFF"),
        (Cipher::Des, "1F1F1F1F0E0E0E0E"),
        (Cipher::Des, "E0E0E0E0F1F1F1F1"),
        (Cipher::Des, "01FE01FE01FE01FE"),
        (Cipher::Des, "E01FE01FF10EF10E"),
        (Cipher::Des, "FEE0FEE0FEF1FEF1"),
        (Cipher::Tdes, "0123456789ABCDEF0123456789ABCDEF"),
        // The same halves but for the parity bits, which DES does not read.
        (Cipher::Tdes, "0123456789ABCDEF0022446688AACCEE"),
        (Cipher::Tdes, "0123456789ABCDEF0101010101010101"),
        (Cipher::Tdes, "11111111111111111111111111111111"),
        (Cipher::Tdes3, "0123456789ABCDEFFEDCBA9876543210FEDCBA9876543210"),
        (Cipher::Aes128, "00000000000000000000000000000000"),
        (Cipher::Aes256, "4242424242424242424242424242424242424242424242424242424242424242"),
    ];
    for (cipher, digits) in refused {
        assert_eq!(SecretKey::from_hex(cipher, digits).unwrap_err(), KeyFault::Weak, "{cipher} {digits}");
    }
    // Two-key TDES written as three: the first and the last are the same.
    assert!(SecretKey::from_hex(Cipher::Tdes3, "0123456789ABCDEFFEDCBA98765432100123456789ABCDEF").is_ok());
}

#[test]
fn a_key_is_hexadecimal_and_nothing_else() {
    for wrong in
        ["0123456789ABCDE", "0123456789ABCDEG", "0x23456789ABCDEF", " 123456789ABCDEF", "+123456789ABCDEF"]
    {
        assert_eq!(SecretKey::from_hex(Cipher::Des, wrong).unwrap_err(), KeyFault::Hex, "{wrong}");
    }
    assert!(SecretKey::from_hex(Cipher::Des, "0123456789abcdEF").is_ok());
}

#[test]
fn parity_is_set_where_keys_are_made_and_not_asked_of_others() {
    let mut bytes = hex("0022446688AACCEE");
    assert!(!secret::has_odd_parity(&bytes));
    secret::set_odd_parity(&mut bytes);
    assert_eq!(upper(&bytes), "0123456789ABCDEF");
    assert!(secret::has_odd_parity(&bytes));
    assert!(SecretKey::from_hex(Cipher::Des, "0022446688AACCEE").is_ok());
}

#[test]
fn check_values_are_those_of_other_devices() {
    let left = |cipher, digits, length| upper(key(cipher, digits).check_value().left(length));
    assert_eq!(left(Cipher::Tdes, TDES, 3), "08D7B4");
    assert_eq!(left(Cipher::Tdes, TDES, 4), "08D7B4FB");
    assert_eq!(left(Cipher::Des, "0123456789ABCDEF", 3), "D5D44F");
    assert_eq!(left(Cipher::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C", 5), "7AD386C376");
    assert_eq!(left(Cipher::Tdes, TDES, 9), "08D7B4FB62", "there are no more than five");
}

#[test]
fn the_configuration_names_the_key_that_is_wrong_and_never_shows_it() {
    let new = |role, cipher, digits, check: Option<&str>| {
        ConfiguredKey::new(name("k1"), role, cipher, digits, check.map(hex).as_deref()).map(|_| ())
    };
    let (k1, tdes) = (name("k1"), Cipher::Tdes);
    assert_eq!(
        new(KeyRole::Mac, tdes, "00", None),
        Err(KeysFault::Value(k1, KeyFault::Length { cipher: tdes, wanted: 16, found: 1 }))
    );
    assert_eq!(
        new(KeyRole::LocalMaster, tdes, TDES, None),
        Err(KeysFault::Cipher(k1, KeyRole::LocalMaster, tdes))
    );
    let des = Cipher::Des;
    assert_eq!(
        new(KeyRole::Pin, des, "0123456789ABCDEF", None),
        Err(KeysFault::Cipher(k1, KeyRole::Pin, des))
    );
    assert_eq!(new(KeyRole::Mac, tdes, TDES, Some("08D7B4")), Ok(()));
    for wrong in ["08D7B5", "", "08D7B4FB6200"] {
        let fault = new(KeyRole::Mac, tdes, TDES, Some(wrong)).unwrap_err();
        assert_eq!(fault, KeysFault::CheckValue(k1));
        assert!(!fault.to_string().contains("0123") && fault.to_string().contains("k1"), "{fault}");
    }
    let twice = sample_keys().into_iter().chain(sample_keys().into_iter().skip(1));
    let fault = SoftwareSecurityModule::new(twice, Arc::new(TestDice::default())).unwrap_err();
    assert_eq!(fault, KeysFault::Twice(name("bdk")));
    let two = sample_keys().into_iter().chain(sample_keys());
    let fault = SoftwareSecurityModule::new(two, Arc::new(TestDice::default())).unwrap_err();
    assert_eq!(fault, KeysFault::SecondLocalMaster(name("local")));
}

#[test]
fn a_terminal_that_counts_further_than_it_may_has_no_key() {
    let base = key(Cipher::Tdes, TDES);
    let tdes = |counter| {
        let ksn = hex(&format!("FFFF9876543210{counter}")).try_into().unwrap();
        tdes::message_key(&base, &ksn).map(|_| ())
    };
    assert_eq!(tdes("E00000"), Err(KsnFault::Unused));
    assert_eq!(tdes("FFFFFF"), Err(KsnFault::Exhausted));
    assert_eq!(tdes("E007FF"), Err(KsnFault::Exhausted), "eleven one bits");
    assert_eq!(tdes("E003FF"), Ok(()), "ten");
    assert_eq!(tdes("FFF800"), Ok(()), "the last one of a terminal");
    let base = key(Cipher::Aes128, "FEDCBA9876543210F1F1F1F1F1F1F1F1");
    let aes = |counter: u32| {
        let ksn = hex(&format!("1234567890123456{counter:08X}")).try_into().unwrap();
        aes::message_key(&base, &ksn).map(|_| ())
    };
    assert_eq!(aes(0), Err(KsnFault::Unused));
    assert_eq!(aes(0x0003_FFFF), Err(KsnFault::Exhausted), "eighteen one bits");
    assert_eq!(aes(0x0001_FFFF), Ok(()), "seventeen");
    assert_eq!(aes(0xFFFF_8000), Ok(()), "the last one of a terminal");
    assert_eq!(aes(u32::MAX), Err(KsnFault::Exhausted));
}

/// What an independent SP 800-108 implementation makes of the same inputs. A release that changes one of these bytes
/// loses every working key that is in use.
#[test]
fn a_generation_has_the_same_keys_in_every_release() {
    let module = module();
    let handed = |under: &str, form| {
        complete(module.hand_over(samples::terminal_id(1), GENERATION, name(under), form)).unwrap()
    };
    let cryptograms = handed("tmk", HandOverForm::Cryptograms { mac: Cipher::Tdes });
    let (pin, mac) = cryptograms.bytes.split_at(20);
    let open = |bytes| key_exchange::open(&key(Cipher::Tdes, TMK), Cipher::Tdes, bytes).unwrap();
    assert_eq!(upper(open(pin).expose()), "A725A8CE7686A71A07C49767944583E3");
    assert_eq!(upper(open(mac).expose()), "79FE62B973A7647F2CB37C76292A5BEC");
    let blocks = handed(
        "tmk-aes",
        HandOverForm::KeyBlocks { cipher: Cipher::Aes128, algorithm: MacAlgorithm::AesCmac },
    );
    let text = String::from_utf8(blocks.bytes).unwrap();
    let (_, mac) = key_block::unwrap(&key(Cipher::Aes128, TMK_AES), &text[text.len() / 2..]).unwrap();
    assert_eq!(upper(mac.expose()), "8299A81801E5291C35E54F12D9177614");
}

#[test]
fn a_terminal_takes_over_its_cryptograms_and_its_macs_are_verified() {
    let (module, master) = (module(), key(Cipher::Tdes, TMK));
    for cipher in [Cipher::Tdes, Cipher::Des] {
        let form = HandOverForm::CryptogramsWithData { mac: cipher };
        let handed =
            complete(module.hand_over(samples::terminal_id(7), GENERATION, name("tmk"), form)).unwrap();
        assert_eq!(handed.bytes.len(), 60);
        let mac_part = &handed.bytes[20..40];
        assert_eq!(cipher == Cipher::Des, mac_part[8..16] == [0; 8]);
        assert_eq!(mac_part[16..], *handed.check_values[1].1.left(4));
        let mac_key = key_exchange::open(&master, cipher, mac_part).unwrap();
        assert!(secret::has_odd_parity(mac_key.expose()));
        let made = MacKey::new(MacAlgorithm::CupEcb, &mac_key).unwrap().mac(b"a message").0;
        let working = KeyRef::Working { terminal: samples::terminal_id(7), generation: GENERATION, cipher };
        let verified = module.verify_mac(working, MacAlgorithm::CupEcb, b"a message", &made);
        assert_eq!(complete(verified), Ok(()));
        let purposes: Vec<Purpose> = handed.check_values.iter().map(|(purpose, _)| *purpose).collect();
        assert_eq!(purposes, [Purpose::Pin, Purpose::Mac, Purpose::Data]);
    }
}

#[test]
fn a_changed_cryptogram_is_not_taken_over() {
    let (module, master) = (module(), key(Cipher::Tdes, TMK));
    let form = HandOverForm::Cryptograms { mac: Cipher::Tdes };
    let handed = complete(module.hand_over(samples::terminal_id(7), GENERATION, name("tmk"), form)).unwrap();
    let right = &handed.bytes[..20];
    for bit in 0..160 {
        let mut wrong = right.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let taken = key_exchange::open(&master, Cipher::Tdes, &wrong).map(|_| ());
        assert_eq!(taken, Err(CryptogramFault::CheckValue), "bit {bit}");
    }
    for length in [0, 15, 16, 19] {
        let taken = key_exchange::open(&master, Cipher::Tdes, &right[..length]).map(|_| ());
        assert_eq!(taken, Err(CryptogramFault::Length));
    }
}

#[test]
fn a_hand_over_that_cannot_be_says_what_to_change() {
    let module = module();
    let ask = |under: &str, form| {
        complete(module.hand_over(samples::terminal_id(1), GENERATION, name(under), form)).unwrap_err()
    };
    let problem = ModuleFault::Misconfigured;
    let aes_mac = HandOverForm::Cryptograms { mac: Cipher::Aes128 };
    assert_eq!(ask("tmk", aes_mac), problem(KeyProblem::Form { cipher: Cipher::Aes128 }));
    let tdes_mac = HandOverForm::Cryptograms { mac: Cipher::Tdes };
    assert_eq!(ask("tmk-aes", tdes_mac), problem(KeyProblem::Form { cipher: Cipher::Tdes }));
    let role =
        KeyProblem::Role { key: name("zone-mac"), role: KeyRole::Mac, needed: KeyRole::TerminalMaster };
    assert_eq!(ask("zone-mac", tdes_mac), problem(role));
    let blocks = |cipher, algorithm| HandOverForm::KeyBlocks { cipher, algorithm };
    let cup = MacAlgorithm::CupEcb;
    assert_eq!(ask("tmk", blocks(Cipher::Tdes, cup)), problem(KeyProblem::NoKeyBlock { algorithm: cup }));
    let under = name("tmk");
    let stronger = KeyProblem::Stronger { under, cipher: Cipher::Aes128 };
    assert_eq!(ask("tmk", blocks(Cipher::Aes128, MacAlgorithm::AesCmac)), problem(stronger));
    let without =
        SoftwareSecurityModule::new(sample_keys().into_iter().skip(1), Arc::new(TestDice::default()));
    let asked = without.unwrap().hand_over(samples::terminal_id(1), GENERATION, under, tdes_mac);
    assert_eq!(complete(asked), Err(problem(KeyProblem::Missing(KeyRole::LocalMaster))));
}
