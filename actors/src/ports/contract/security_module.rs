//! What every security module must do. `fresh` makes one that holds [`KEYS`]; two of them are one after a restart.
//!
//! The expected values are published ones, or were computed by an independent implementation; a module that passes
//! speaks to the terminals that are in the shops.
use super::{complete, samples};
use crate::domain::identity::KeyName;
use crate::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyProblem, KeyRef, KeyRole, Ksn, Mac, MacAlgorithm, ModuleFault, Pan,
    PinFormat, PinSource, PinTarget, Purpose, Rejection, SecurityModule, Way,
};
use std::sync::Arc;

/// A key that the module under test holds.
#[derive(Clone, Copy, Debug)]
pub struct SampleKey {
    /// Its name.
    pub name: &'static str,
    /// Its role.
    pub role: KeyRole,
    /// Its cipher.
    pub cipher: Cipher,
    /// Its value in hexadecimal. It protects nothing.
    pub digits: &'static str,
}

/// The keys that the module under test holds.
pub const KEYS: [SampleKey; 9] = [
    sample(
        "local",
        KeyRole::LocalMaster,
        Cipher::Aes256,
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    ),
    sample("bdk", KeyRole::DukptBase, Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210"),
    sample("bdk-aes", KeyRole::DukptBase, Cipher::Aes128, "FEDCBA9876543210F1F1F1F1F1F1F1F1"),
    sample("tmk", KeyRole::TerminalMaster, Cipher::Tdes, "5B9D2A41C7E08F134A68D5F2013BC79E"),
    sample("tmk-aes", KeyRole::TerminalMaster, Cipher::Aes128, "88E1AB2A2E3DD38C1FA039A536500CC8"),
    sample("zone-pin", KeyRole::Pin, Cipher::Tdes, "C1D0F8FB4958670DBA40AB1F3752EF0D"),
    sample("zone-mac", KeyRole::Mac, Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210"),
    sample("old-mac", KeyRole::Mac, Cipher::Des, "0123456789ABCDEF"),
    sample("aes-mac", KeyRole::Mac, Cipher::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C"),
];

const MESSAGE: &[u8] = b"4012345678909D987";
const PAN: &[u8] = b"4012345678909";
const GENERATION: Generation = Generation::from_bits(0x0123_4567_89AB_CDEF);

const fn sample(name: &'static str, role: KeyRole, cipher: Cipher, digits: &'static str) -> SampleKey {
    SampleKey { name, role, cipher, digits }
}

/// Runs the whole suite.
pub fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn SecurityModule>) {
    a_mac_is_the_one_that_everybody_makes(&*fresh());
    one_changed_bit_is_rejected(&*fresh());
    a_mac_of_x99_is_verified_and_not_made(&*fresh());
    a_key_is_held_to_its_role_and_its_cipher(&*fresh());
    a_mac_under_a_key_of_one_message_is_verified(&*fresh());
    a_ksn_that_no_terminal_sends_is_rejected(&*fresh());
    a_pin_is_carried_into_the_zone(&*fresh());
    a_pin_of_another_account_is_rejected(&*fresh());
    working_keys_are_the_same_after_a_restart(&*fresh(), &*fresh());
    working_keys_differ_by_terminal_and_generation(&*fresh());
    a_repeated_hand_over_is_the_same_to_the_byte(&*fresh(), &*fresh());
    every_generation_is_another_one(&*fresh());
    a_check_value_is_the_one_that_people_compare(&*fresh());
}

fn named(name: &str) -> KeyRef {
    KeyRef::Named(key_name(name))
}

fn key_name(name: &str) -> KeyName {
    KeyName::new(name).expect("a well formed name")
}

fn dukpt(counter: u8, way: Way) -> KeyRef {
    let ksn = Ksn::Tdes([0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, counter]);
    KeyRef::Dukpt { base: key_name("bdk"), ksn, way, cipher: Cipher::Tdes }
}

fn working(terminal: u32, generation: Generation, cipher: Cipher) -> KeyRef {
    KeyRef::Working { terminal: samples::terminal_id(terminal), generation, cipher }
}

fn mac(module: &dyn SecurityModule, key: KeyRef, algorithm: MacAlgorithm) -> Mac {
    complete(module.mac(key, algorithm, MESSAGE)).expect("a MAC")
}

fn a_mac_is_the_one_that_everybody_makes(module: &dyn SecurityModule) {
    let known = [
        ("zone-mac", MacAlgorithm::X919, 0x2BF5_4205_7928_92A6),
        ("zone-mac", MacAlgorithm::X919Left4, 0x2BF5_4205_0000_0000),
        ("zone-mac", MacAlgorithm::Iso16609Tdes, 0x9C41_F85F_B3D1_D926),
        ("zone-mac", MacAlgorithm::CupEcb, u64::from_be_bytes(*b"0FF5CF79")),
        ("aes-mac", MacAlgorithm::AesCmac, 0xBC36_7D8D_1DE1_763E_u64),
    ];
    for (key, algorithm, value) in known {
        assert_eq!(mac(module, named(key), algorithm), Mac(value.to_be_bytes()), "{algorithm:?}");
    }
}

fn one_changed_bit_is_rejected(module: &dyn SecurityModule) {
    let algorithms =
        [MacAlgorithm::X919, MacAlgorithm::X919Left4, MacAlgorithm::Iso16609Tdes, MacAlgorithm::CupEcb];
    let under_tdes = algorithms.map(|algorithm| ("zone-mac", algorithm));
    for (key, algorithm) in under_tdes.into_iter().chain([("aes-mac", MacAlgorithm::AesCmac)]) {
        let key = named(key);
        let Mac(right) = mac(module, key, algorithm);
        let verify = |message: &[u8], mac: &[u8]| complete(module.verify_mac(key, algorithm, message, mac));
        assert_eq!(verify(MESSAGE, &right), Ok(()));
        let rejected = Err(ModuleFault::Rejected(Rejection::Mac(key)));
        for bit in 0..64_u32 {
            let wrong = (u64::from_be_bytes(right) ^ (1 << bit)).to_be_bytes();
            assert_eq!(verify(MESSAGE, &wrong), rejected, "{algorithm:?}, bit {bit} of the MAC");
        }
        for byte in 0..MESSAGE.len() {
            let mut wrong = MESSAGE.to_vec();
            wrong.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= 1);
            assert_eq!(verify(&wrong, &right), rejected, "{algorithm:?}, byte {byte} of the message");
        }
        assert_eq!(verify(MESSAGE, &[]), rejected, "no MAC is a wrong one");
        assert_eq!(verify(MESSAGE, &[&right[..], &[0]].concat()), rejected, "a longer MAC is a wrong one");
    }
}

fn a_mac_of_x99_is_verified_and_not_made(module: &dyn SecurityModule) {
    let (key, right) = (named("old-mac"), 0x90B3_6AE5_4F65_7DAB_u64.to_be_bytes());
    assert_eq!(complete(module.verify_mac(key, MacAlgorithm::X99, MESSAGE, &right)), Ok(()));
    let made = complete(module.mac(key, MacAlgorithm::X99, MESSAGE));
    assert_eq!(made, Err(ModuleFault::Misconfigured(KeyProblem::Legacy)));
}

fn a_key_is_held_to_its_role_and_its_cipher(module: &dyn SecurityModule) {
    let ask = |key| complete(module.mac(key, MacAlgorithm::X919, MESSAGE));
    let problem = |problem| Err(ModuleFault::Misconfigured(problem));
    assert_eq!(ask(named("nobody")), problem(KeyProblem::Unknown(key_name("nobody"))));
    let (key, role) = (key_name("zone-pin"), KeyRole::Pin);
    assert_eq!(ask(named("zone-pin")), problem(KeyProblem::Role { key, role, needed: KeyRole::Mac }));
    let (key, algorithm) = (named("aes-mac"), MacAlgorithm::X919);
    assert_eq!(ask(key), problem(KeyProblem::MacCipher { key, cipher: Cipher::Aes128, algorithm }));
}

fn a_mac_under_a_key_of_one_message_is_verified(module: &dyn SecurityModule) {
    let request = 0x9CCC_7817_3FC4_FB64_u64.to_be_bytes();
    let verify = |key| complete(module.verify_mac(key, MacAlgorithm::X919, MESSAGE, &request));
    assert_eq!(verify(dukpt(1, Way::FromTerminal)), Ok(()));
    let next = dukpt(2, Way::FromTerminal);
    assert_eq!(verify(next), Err(ModuleFault::Rejected(Rejection::Mac(next))));
    let answer = mac(module, dukpt(1, Way::ToTerminal), MacAlgorithm::X919);
    assert_eq!(answer, Mac(0x2036_4223_C1FF_00FA_u64.to_be_bytes()));
}

fn a_ksn_that_no_terminal_sends_is_rejected(module: &dyn SecurityModule) {
    let base = key_name("bdk");
    let ask = |ksn| {
        let key = KeyRef::Dukpt { base, ksn, way: Way::FromTerminal, cipher: Cipher::Tdes };
        complete(module.mac(key, MacAlgorithm::X919, MESSAGE)).expect_err("no key for this KSN")
    };
    let tdes = |a: u8, b, c| Ksn::Tdes([0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0 | a, b, c]);
    assert_eq!(ask(tdes(0, 0, 0)), ModuleFault::Rejected(Rejection::KsnUnused(base)));
    assert_eq!(ask(tdes(0, 0x07, 0xFF)), ModuleFault::Rejected(Rejection::KsnExhausted(base)));
    assert_eq!(ask(Ksn::Aes([1; 12])), ModuleFault::Rejected(Rejection::KsnKind(base)));
}

fn carry(
    module: &dyn SecurityModule,
    pan: &[u8],
    from: PinSource<'_>,
    to: PinTarget,
) -> Result<Vec<u8>, ModuleFault> {
    let pan = Pan::new(pan).expect("an account number");
    complete(module.translate_pin(pan, from, to)).map(|block| block.as_bytes().to_vec())
}

fn a_pin_is_carried_into_the_zone(module: &dyn SecurityModule) {
    let block = 0x1B9C_1845_EB99_3A7A_u64.to_be_bytes();
    let in_zone = 0xF12B_8E89_7D89_E69F_u64.to_be_bytes();
    let zone = named("zone-pin");
    let sent = PinSource { key: dukpt(1, Way::FromTerminal), format: PinFormat::Iso0, block: &block };
    let target = |key, format| PinTarget { key, format };
    assert_eq!(carry(module, PAN, sent, target(zone, PinFormat::Iso0)).as_deref(), Ok(&in_zone[..]));
    // Formats 3 and 4 have a random part: there and back again is the same PIN.
    let aes = working(1, GENERATION, Cipher::Aes128);
    for (key, format) in [(zone, PinFormat::Iso3), (aes, PinFormat::Iso4)] {
        let there = carry(module, PAN, sent, target(key, format)).expect("a block");
        assert_eq!(there.len(), format.block_len());
        let back = PinSource { key, format, block: &there };
        assert_eq!(carry(module, PAN, back, target(zone, PinFormat::Iso0)).as_deref(), Ok(&in_zone[..]));
    }
}

fn a_pin_of_another_account_is_rejected(module: &dyn SecurityModule) {
    let block = 0x1B9C_1845_EB99_3A7A_u64.to_be_bytes();
    let key = dukpt(1, Way::FromTerminal);
    let sent = PinSource { key, format: PinFormat::Iso0, block: &block };
    let to = PinTarget { key: named("zone-pin"), format: PinFormat::Iso0 };
    let rejected = Err(ModuleFault::Rejected(Rejection::PinBlock(key)));
    assert_eq!(carry(module, b"4761739001010119", sent, to), rejected);
    assert_eq!(carry(module, PAN, PinSource { block: &block[..7], ..sent }, to), rejected);
    let other = PinSource { key: dukpt(2, Way::FromTerminal), ..sent };
    assert_eq!(carry(module, PAN, other, to), Err(ModuleFault::Rejected(Rejection::PinBlock(other.key))));
    let to_aes = PinTarget { format: PinFormat::Iso4, ..to };
    let (cipher, format) = (Cipher::Tdes, PinFormat::Iso4);
    let problem = KeyProblem::PinCipher { key: to.key, cipher, format };
    assert_eq!(carry(module, PAN, sent, to_aes), Err(ModuleFault::Misconfigured(problem)));
}

fn working_keys_are_the_same_after_a_restart(before: &dyn SecurityModule, after: &dyn SecurityModule) {
    let generation = complete(before.new_generation()).expect("a generation");
    for (cipher, algorithm) in [
        (Cipher::Tdes, MacAlgorithm::X919),
        (Cipher::Des, MacAlgorithm::CupEcb),
        (Cipher::Aes256, MacAlgorithm::AesCmac),
    ] {
        let key = working(1, generation, cipher);
        let Mac(made) = mac(before, key, algorithm);
        assert_eq!(complete(after.verify_mac(key, algorithm, MESSAGE, &made)), Ok(()));
    }
}

fn working_keys_differ_by_terminal_and_generation(module: &dyn SecurityModule) {
    let next = Generation::from_bits(GENERATION.bits() + 1);
    let keys = [
        working(1, GENERATION, Cipher::Tdes),
        working(2, GENERATION, Cipher::Tdes),
        working(1, next, Cipher::Tdes),
    ];
    let [one, other_terminal, other_generation] = keys.map(|key| mac(module, key, MacAlgorithm::X919));
    assert_ne!(one, other_terminal);
    assert_ne!(one, other_generation);
}

fn a_repeated_hand_over_is_the_same_to_the_byte(one: &dyn SecurityModule, other: &dyn SecurityModule) {
    let blocks = |cipher, algorithm| HandOverForm::KeyBlocks { cipher, algorithm };
    let forms = [
        ("tmk", HandOverForm::Cryptograms { mac: Cipher::Tdes }),
        ("tmk", HandOverForm::CryptogramsWithData { mac: Cipher::Des }),
        ("tmk", blocks(Cipher::Tdes, MacAlgorithm::X919)),
        ("tmk-aes", blocks(Cipher::Aes128, MacAlgorithm::AesCmac)),
    ];
    for (under, form) in forms {
        let hand_over = |module: &dyn SecurityModule, terminal| {
            let terminal = samples::terminal_id(terminal);
            complete(module.hand_over(terminal, GENERATION, key_name(under), form)).expect("keys")
        };
        let handed = hand_over(one, 1);
        assert!(handed == hand_over(other, 1) && handed != hand_over(one, 2), "{form:?}");
        let purposes: Vec<Purpose> = handed.check_values.iter().map(|(purpose, _)| *purpose).collect();
        assert!(purposes.starts_with(&[Purpose::Pin, Purpose::Mac]));
    }
    let under_weaker = blocks(Cipher::Aes256, MacAlgorithm::AesCmac);
    let refused = one.hand_over(samples::terminal_id(1), GENERATION, key_name("tmk-aes"), under_weaker);
    let problem = KeyProblem::Stronger { under: key_name("tmk-aes"), cipher: Cipher::Aes256 };
    assert_eq!(complete(refused), Err(ModuleFault::Misconfigured(problem)));
}

fn every_generation_is_another_one(module: &dyn SecurityModule) {
    let draw = || complete(module.new_generation()).expect("a generation");
    let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| draw().bits()).collect();
    assert_eq!(drawn.len(), 100);
}

fn a_check_value_is_the_one_that_people_compare(module: &dyn SecurityModule) {
    let of = |name| complete(module.check_value(key_name(name))).expect("a check value").to_string();
    assert_eq!((of("zone-mac"), of("aes-mac")), ("08D7B4".to_owned(), "7AD386".to_owned()));
}
