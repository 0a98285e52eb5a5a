//! The configuration: every mistake is named with its key and what it may be, all of them at once, and nothing starts.
use std::path::Path;
use switch::config::Config;

const SOUND: &str = r#"
[node]
journal = "journal"
read_model = "read-model.sqlite"
[login]
codes = "page"
[[platform]]
id = "sandbox"
kind = "sandbox"
url = "http://127.0.0.1:8082"
secret = { env = "CARGO_PKG_DESCRIPTION" }
[[merchant]]
id = "M"
name = "Kiosk"
limits = { EUR = "50.00" }
routes = { EUR = "sandbox" }
[[terminal]]
id = "T1"
merchant = "M"
key_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#;

/// What is said of the sound configuration when `from` is replaced by `to`.
fn said(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "{from}");
    let read = Config::parse(&SOUND.replace(from, to)).and_then(Config::checked);
    let problems = read.map_or_else(|problems| problems.0, |_| Vec::new());
    problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.what)).collect()
}

#[test]
fn a_sound_configuration_is_believed() {
    let checked = Config::parse(SOUND).and_then(Config::checked).map_err(|problems| problems.to_string());
    let checked = checked.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((checked.roster.merchants(), checked.roster.terminals()), (1, 1));
}

#[test]
fn a_typo_is_shown_with_its_line_and_the_keys_that_there_are() {
    let problems = said("[login]", "[login]\ntoken_second = 60");
    assert!(problems[0].contains("token_second") && problems[0].contains("token_seconds"), "{problems:?}");
    assert!(problems[0].contains("line 6"), "{problems:?}");
}

#[test]
fn a_wrong_value_is_named_by_its_key_and_says_what_it_may_be() {
    for (from, to, key, hint) in [
        ("\"50.00\"", "\"50.001\"", "merchant[0].limits.EUR", "decimals"),
        ("\"50.00\"", "\"0\"", "merchant[0].limits.EUR", "more than zero"),
        ("EUR = \"sandbox\"", "EUR = \"other\"", "merchant[0].routes.EUR", "[[platform]]"),
        ("EUR = \"sandbox\"", "EURO = \"sandbox\"", "merchant[0].routes.EURO", "ISO 4217"),
        ("merchant = \"M\"", "merchant = \"X\"", "terminal[0].merchant", "[[merchant]]"),
        ("e3b0", "zzzz", "terminal[0].key_sha256", "64 hex digits"),
        ("\"http://127.0.0.1:8082\"", "\"127.0.0.1:8082\"", "platform[0].url", "http://"),
        (
            "env = \"CARGO_PKG_DESCRIPTION\"",
            "env = \"NOT_SET_ANYWHERE\"",
            "platform[0].secret",
            "NOT_SET_ANYWHERE",
        ),
        ("codes = \"page\"", "codes = \"program\"", "login.code_program", "page"),
        ("[login]", "[patience]\nanswer_seconds = 4\n[login]", "patience.answer_seconds", "5 to 300"),
        ("[login]", "[phones]\nlisten = \"0.0.0.0:8080\"\n[login]", "phones.listen", "loopback"),
        (
            "[login]",
            "[admin]\nlisten = \"0.0.0.0:9090\"\nplain = \"anywhere\"\n[login]",
            "admin.token",
            "token",
        ),
    ] {
        let problems = said(from, to);
        let named = problems.iter().any(|problem| problem.starts_with(key) && problem.contains(hint));
        assert!(named, "{to}: {problems:?}");
    }
}

const DUKPT: &str =
    "500\nmac = { algorithm = \"x919\", dukpt = { base = \"base\", field = 53, tag = \"C0\" } }";

#[test]
fn a_line_that_cannot_work_is_named_by_its_key_and_says_what_it_may_be() {
    let sound = "[[lines]]\nname = \"shops\"\nlisten = \"127.0.0.1:8583\"\nframing = \"len2+tpdu\"\n\
                 dialect = \"iso87-bcd\"\nconnections_max = 500\nlength_max = 4096\n";
    let lines = |text: &str| said("[login]", &format!("{text}[login]"));
    assert_eq!(lines(sound), Vec::<String>::new());
    for (from, to, key, hint) in [
        ("\"len2+tpdu\"", "\"len2+nac\"", "lines[0].framing", "+tpdu+cup6"),
        ("\"iso87-bcd\"", "\"iso2003\"", "lines[0].dialect", "iso87-ascii"),
        ("\"shops\"", "\"the shops\"", "lines[0].name", "letters"),
        ("127.0.0.1", "0.0.0.0", "lines[0].listen", "plain = \"anywhere\""),
        ("500", "0", "lines[0].connections_max", "1 to 100000"),
        ("500", "500\npeers = { \"a.example\" = [\"T1\"] }", "lines[0].peers", "give tls.client_authority"),
        (
            "500",
            "500\npeers = { \"a.example\" = [\"T9\"] }",
            "lines[0].peers.a.example",
            "no terminal \"T9\"",
        ),
        ("500", "500\npeers = { \"not a name\" = [] }", "lines[0].peers.not a name", "a DNS name"),
        ("500", "500\nmac = { algorithm = \"x919\" }", "lines[0].mac.key", "dukpt"),
        ("500", DUKPT, "lines[0].mac.dukpt", "48 or 63"),
        ("500", "500\nper_peer_max = 0", "lines[0].per_peer_max", "1 to 100000"),
        ("4096", "65_536", "lines[0].length_max", "32 to 65535"),
        ("len2+tpdu\"", "ascii4\"\nidle_seconds = 1", "lines[0].idle_seconds", "5 to 86400"),
        ("4096", "40\npatience_seconds = 301", "lines[0].patience_seconds", "5 to 300"),
    ] {
        assert!(sound.contains(from), "{from}");
        let problems = lines(&sound.replace(from, to));
        let named = problems.iter().any(|problem| problem.starts_with(key) && problem.contains(hint));
        assert!(named, "{to}: {problems:?}");
    }
    let no_base = lines(&sound.replace("500", &DUKPT.replace("53", "63")));
    assert!(no_base[0].starts_with("lines.shops.mac.dukpt.base"), "{no_base:?}");
    let too_long = sound.replace("len2+tpdu", "ascii4").replace("4096", "10_000");
    assert!(lines(&too_long)[0].starts_with("lines[0].length_max: a frame of this framing may have"));
    let twice = lines(&sound.repeat(2));
    assert!(twice[0].starts_with("lines[1].name") && twice[1].starts_with("lines[1].listen"), "{twice:?}");
    let unknown = lines(&sound.replace("framing", "frames"));
    assert!(unknown[0].contains("frames") && unknown[0].contains("framing"), "{unknown:?}");
}

#[test]
fn a_merchants_fault_is_said_once_and_not_again_for_each_of_its_terminals() {
    assert_eq!(said("\"50.00\"", "\"fifty\"").len(), 1);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let broken = SOUND.replace("\"50.00\"", "\"fifty\"").replace("merchant = \"M\"", "merchant = \"X\"");
    let problems = Config::parse(&broken).and_then(Config::checked).err().map(|problems| problems.0.len());
    assert_eq!(problems, Some(2));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Config::read(Path::new("no/such/file.toml")).unwrap_err().to_string();
    assert!(problems.starts_with("no/such/file.toml: cannot be read"), "{problems}");
}

#[test]
fn the_schema_knows_the_keys_that_the_file_may_have() {
    let schema = Config::schema().to_string();
    for key in ["journal", "answer_seconds", "key_sha256", "bad_messages_max"] {
        assert!(schema.contains(key), "{key}");
    }
}
