//! What a protected line is given: a throw-away authority, certificates for both sides, and a key for MACs.
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::fs;
use std::path::Path;

/// The name that the line's certificate bears: not the address that terminals connect to.
pub const NAME: &str = "line.example";
/// Two halves that differ, odd parity or not.
const MAC_KEY: &str = "0123456789abcdeffedcba9876543211";
/// The same, mistyped.
const OTHER_KEY: &str = "0123456789abcdeffedcba9876543221";

/// Writes everything into a folder.
pub fn write(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    for (who, name, usage) in [
        ("line", NAME, ExtendedKeyUsagePurpose::ServerAuth),
        ("shop", "shop-1.example", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        fs::write(folder.join(format!("{who}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{who}.key")), key.serialize_pem()).unwrap();
    }
    fs::write(folder.join("mac.hex"), MAC_KEY).unwrap();
    fs::write(folder.join("other.hex"), OTHER_KEY).unwrap();
}

/// What stands in the switch's configuration, after the other keys of the line.
pub fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "mac = {{ algorithm = \"x919\", key = \"shops-mac\" }}\n\
         tls = {{ certificate = \"{folder}/line.pem\", key = \"{folder}/line.key\", client_authority = \"{folder}/authority.pem\" }}\n\
         [[key]]\nname = \"shops-mac\"\nrole = \"mac\"\ncipher = \"tdes\"\nsecret = {{ file = \"{folder}/mac.hex\" }}\n"
    )
}
