//! MACs that are nearly right, and keys that do not go with the algorithm.
use super::{hex, key};
use actors::ports::security_module::{Cipher, MacAlgorithm};
use adapters::security_module::mac::{CipherMismatch, MacKey};

const TDES: &str = "0123456789ABCDEFFEDCBA9876543210";

#[test]
fn four_bytes_are_verified_with_zeros_with_spaces_and_alone_and_with_nothing_else() {
    let mac_key = MacKey::new(MacAlgorithm::X919Left4, &key(Cipher::Tdes, TDES)).unwrap();
    let verifies = |mac: &str| mac_key.verifies(b"4012345678909D987", &hex(mac));
    for right in ["2BF5420500000000", "2BF5420520202020", "2BF54205"] {
        assert!(verifies(right), "{right}");
    }
    for wrong in ["2BF54205792892A6", "2BF5420500000001", "2BF5420520202000", "2BF54204", "2BF542", ""] {
        assert!(!verifies(wrong), "{wrong}");
    }
}

#[test]
fn the_whole_mac_is_wanted_where_four_bytes_are_not_agreed() {
    let mac_key = MacKey::new(MacAlgorithm::X919, &key(Cipher::Tdes, TDES)).unwrap();
    assert!(mac_key.verifies(b"4012345678909D987", &hex("2BF54205792892A6")));
    assert!(!mac_key.verifies(b"4012345678909D987", &hex("2BF54205")));
    assert!(!mac_key.verifies(b"4012345678909D987", &hex("2BF5420500000000")));
}

#[test]
fn no_message_at_all_is_one_block_of_zeros() {
    for algorithm in [MacAlgorithm::X919, MacAlgorithm::Iso16609Tdes, MacAlgorithm::CupEcb] {
        let mac_key = MacKey::new(algorithm, &key(Cipher::Tdes, TDES)).unwrap();
        assert_eq!(mac_key.mac(b""), mac_key.mac(&[0; 8]), "{algorithm:?}");
    }
}

#[test]
fn an_algorithm_takes_keys_of_its_own_cipher_only() {
    let keys = [
        (Cipher::Des, "0123456789ABCDEF"),
        (Cipher::Tdes, TDES),
        (Cipher::Tdes3, "0123456789ABCDEFFEDCBA987654321089ABCDEF01234567"),
        (Cipher::Aes128, TDES),
        (Cipher::Aes192, "0123456789ABCDEFFEDCBA987654321089ABCDEF01234567"),
        (Cipher::Aes256, "0123456789ABCDEFFEDCBA987654321089ABCDEF0123456776543210FEDCBA98"),
    ];
    let takes = [
        (MacAlgorithm::X919, "-T----"),
        (MacAlgorithm::X919Left4, "-T----"),
        (MacAlgorithm::X99, "D-----"),
        (MacAlgorithm::Iso16609Tdes, "-T3---"),
        (MacAlgorithm::AesCmac, "---abc"),
        (MacAlgorithm::CupEcb, "DT----"),
    ];
    for (algorithm, pattern) in takes {
        for ((cipher, digits), mark) in keys.into_iter().zip(pattern.chars()) {
            let made = MacKey::new(algorithm, &key(cipher, digits)).map(|_| ());
            let expected = if mark == '-' { Err(CipherMismatch { cipher, algorithm }) } else { Ok(()) };
            assert_eq!(made, expected, "{algorithm:?} with {cipher}");
        }
    }
}

#[test]
fn the_names_in_the_configuration_are_the_trades() {
    let names = [
        ("x919", MacAlgorithm::X919),
        ("x919-left4", MacAlgorithm::X919Left4),
        ("x99", MacAlgorithm::X99),
        ("iso16609-tdes", MacAlgorithm::Iso16609Tdes),
        ("aes-cmac", MacAlgorithm::AesCmac),
        ("cup-ecb", MacAlgorithm::CupEcb),
    ];
    for (name, algorithm) in names {
        assert_eq!(serde_json::from_value::<MacAlgorithm>(name.into()).unwrap(), algorithm);
        assert_eq!(serde_json::to_value(algorithm).unwrap(), name);
    }
}
