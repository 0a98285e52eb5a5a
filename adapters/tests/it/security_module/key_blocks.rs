//! Key blocks: one published elsewhere, every bit of it flipped, and every way of not being one.
use super::{TestDice, key};
use actors::ports::clock::Dice;
use actors::ports::security_module::Cipher;
use adapters::security_module::key_block::{self, Header, KeyBlockFault, OptionalBlock, Version};
use adapters::security_module::secret::SecretKey;
use proptest::prelude::*;

/// From the documentation of PyPI's psec: KBPK `FFFFFFFFEEEEEEEE`, key `CCCCCCCCDDDDDDDD`, in ASCII.
const PUBLISHED: &str =
    "B0096P0TE00N0000A800A7D1A4C0C1BE762177E1CC59D84844EB67C9F6432B2CA34187AE2E0385EBEE2231697BC5DAE8";
const PUBLISHED_OPTIONAL: &str = "B0120P0TE00N0200TT0EHelloWorldPB0A0000008FE0CA0F00BAA9A1E3695A6C051FAB695FCE07E289BC0151D096909BB87670F63238670402E90A37";
const PUBLISHED_AES: &str = "D0144M3AC00N00008C1CB96C82BFFB2DFA31216647B06D3EC65375F9EC676ADD47B949551E5EC3A82873D6C65C963789119B4A90E7446EA04A4861D4688759EAB83C8D59FEF3DAD1";

fn protection(cipher: Cipher) -> SecretKey {
    SecretKey::new(cipher, b"FFFFFFFFEEEEEEEE").unwrap()
}

#[test]
fn blocks_of_another_implementation_are_opened() {
    for (cipher, block, version) in [
        (Cipher::Tdes, PUBLISHED, Version::B),
        (Cipher::Tdes, PUBLISHED_OPTIONAL, Version::B),
        (Cipher::Aes128, PUBLISHED_AES, Version::D),
    ] {
        let (header, key) = key_block::unwrap(&protection(cipher), block).unwrap();
        assert_eq!((header.version, key.expose()), (version, &b"CCCCCCCCDDDDDDDD"[..]));
    }
    let (header, _) = key_block::unwrap(&protection(Cipher::Tdes), PUBLISHED_OPTIONAL).unwrap();
    assert_eq!(
        header.optional,
        [OptionalBlock { id: *b"TT", data: "HelloWorld".into() }],
        "without the padding"
    );
}

#[test]
fn a_changed_character_anywhere_is_refused() {
    for (cipher, block) in [(Cipher::Tdes, PUBLISHED_OPTIONAL), (Cipher::Aes128, PUBLISHED_AES)] {
        for place in 0..block.len() {
            let mut changed = block.as_bytes().to_vec();
            changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key_block::unwrap(&protection(cipher), &changed).is_err(), "character {place}");
        }
        for length in 0..block.len() {
            assert!(key_block::unwrap(&protection(cipher), &block[..length]).is_err(), "{length} characters");
        }
    }
}

#[test]
fn the_wrong_protection_key_is_told_apart_from_a_wrong_form() {
    let other = key(Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210");
    assert_eq!(key_block::unwrap(&other, PUBLISHED).unwrap_err(), KeyBlockFault::NotAuthentic);
    let aes = protection(Cipher::Aes128);
    assert_eq!(key_block::unwrap(&aes, PUBLISHED).unwrap_err(), KeyBlockFault::Protection);
    let variant = PUBLISHED.replacen('B', "A", 1);
    assert_eq!(
        key_block::unwrap(&protection(Cipher::Tdes), &variant).unwrap_err(),
        KeyBlockFault::Malformed("its version")
    );
    let signed = PUBLISHED.replacen("0096", "+096", 1);
    assert!(matches!(
        key_block::unwrap(&protection(Cipher::Tdes), &signed),
        Err(KeyBlockFault::Malformed(_))
    ));
}

#[test]
fn a_key_does_not_travel_under_a_weaker_one() {
    let aes256 = key(Cipher::Aes256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let tdes = key(Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210");
    let wrap = |under: &SecretKey, version, key: &SecretKey| {
        let header = Header::new(version, *b"K0", key.cipher(), b'B');
        key_block::wrap(under, &header, key, |padding| padding.fill(1)).map(|_| ())
    };
    assert_eq!(wrap(&protection(Cipher::Aes128), Version::D, &aes256), Err(KeyBlockFault::Protection));
    assert_eq!(wrap(&tdes, Version::B, &aes256), Err(KeyBlockFault::Protection));
    assert_eq!(wrap(&aes256, Version::B, &tdes), Err(KeyBlockFault::Protection));
    assert_eq!(wrap(&tdes, Version::D, &tdes), Err(KeyBlockFault::Protection));
    assert_eq!(wrap(&aes256, Version::D, &tdes), Ok(()));
    let mismatched = Header { algorithm: b'A', ..Header::new(Version::D, *b"P0", Cipher::Tdes, b'E') };
    let refused = key_block::wrap(&aes256, &mismatched, &tdes, |_| ()).map(|_| ());
    assert_eq!(refused, Err(KeyBlockFault::Algorithm));
}

#[test]
fn a_header_that_cannot_be_written_is_refused() {
    let (under, travels) = (protection(Cipher::Tdes), key(Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210"));
    let sound = Header::new(Version::B, *b"P0", Cipher::Tdes, b'E');
    let blocks = |count, data: &str| vec![OptionalBlock { id: *b"TT", data: data.into() }; count];
    let wrong = [
        Header { usage: *b"P ", ..sound.clone() },
        Header { exportability: b'-', ..sound.clone() },
        Header { optional: blocks(1, "line\nfeed"), ..sound.clone() },
        Header { optional: blocks(1, &"x".repeat(252)), ..sound.clone() },
        Header { optional: blocks(100, ""), ..sound.clone() },
    ];
    for header in wrong {
        let made = key_block::wrap(&under, &header, &travels, |_| ()).map(|_| ());
        assert!(matches!(made, Err(KeyBlockFault::Malformed(_))), "{header:?}");
    }
}

proptest! {
    #[test]
    fn what_is_wrapped_is_unwrapped_with_its_header(
        value in proptest::array::uniform32(any::<u8>()),
        under in proptest::array::uniform32(any::<u8>()),
        pick in 0_usize..5,
        data in "[ -~]{0,40}",
    ) {
        let (under_cipher, cipher) = [
            (Cipher::Tdes, Cipher::Tdes),
            (Cipher::Tdes3, Cipher::Tdes3),
            (Cipher::Aes128, Cipher::Tdes3),
            (Cipher::Aes192, Cipher::Aes128),
            (Cipher::Aes256, Cipher::Aes256),
        ][pick];
        let under = SecretKey::new(under_cipher, &under[..under_cipher.key_len()]);
        let travels = SecretKey::new(cipher, &value[..cipher.key_len()]);
        prop_assume!(under.is_ok() && travels.is_ok());
        let (under, travels) = (under.unwrap(), travels.unwrap());
        let mut header = Header::new(Version::under(under_cipher), *b"P0", cipher, b'E');
        header.optional = vec![OptionalBlock { id: *b"KS", data: data.into() }];
        let dice = TestDice::default();
        let block = key_block::wrap(&under, &header, &travels, |padding| dice.fill(padding)).unwrap();
        let (read, back) = key_block::unwrap(&under, &block).unwrap();
        prop_assert_eq!(read, header);
        prop_assert_eq!(back.expose(), travels.expose());
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[BD][0-9]{4}[ -~]{0,120}", any in ".{0,60}") {
        for cipher in [Cipher::Tdes, Cipher::Aes128] {
            prop_assert!(key_block::unwrap(&protection(cipher), &text).is_err());
            prop_assert!(key_block::unwrap(&protection(cipher), &any).is_err());
        }
    }
}
