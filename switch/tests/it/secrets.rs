//! Nothing that the switch writes, says or leaves in memory holds a payer's account or password, a key, a token or a code.
//!
//! A real `turnout serve` that logs everything it can plays sales of every ending with canaries for secrets, and hears bad
//! requests that carry them where they do not belong; then all that it ever wrote or said is searched for them, and so is
//! a core dump (`memory`). The same search (`search`) has to find canaries that are planted, and the few secrets that are
//! allowed to be somewhere, there and nowhere else.
mod memory;
pub mod search;
pub mod visit;

use crate::house::{Log, SHARED_SECRET, Site, TOKEN_SECRET, TillKey, turnout};
use adapters::seal::Credential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use search::{Hit, Secret, Writings, hits, lone, planted};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use visit::{Pair, bad_requests, stands_there, told_to_operators};

const ACCOUNT: &str = "canary-account of 9d/41+c07b=e2&8a 5f";
const PASSWORD: &str = "canary-password is 5f/20+ba83=c6&1d 7e";
const WRONG: &str = "canary-wrong-password is 71/e4+09c2=5b&f3 06";
const TILL_KEY: &str = "canary-terminal-key-e8/3b+1f94=a7&2c";
const ADMIN_TOKEN: &str = "canary-admin-token-6a/f0+37d8=1e&b9";
const SUBSCRIBER: &str = "+9990001410";
const THE_CORE: &str = "a core dump after everybody has left";

/// How the sealed credential reaches the platform, and with it how codes leave: two houses cover both of both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    RelayedAndShown,
    DirectAndSent,
}

#[actix_web::test]
async fn a_switch_that_relays_credentials_keeps_and_tells_no_secret_however_much_it_logs() {
    nothing_leaks(Manner::RelayedAndShown).await;
}

#[actix_web::test]
async fn a_switch_past_which_phones_pay_keeps_and_tells_no_secret_however_much_it_logs() {
    nothing_leaks(Manner::DirectAndSent).await;
}

async fn nothing_leaks(manner: Manner) {
    let site = site(manner);
    let log = site.folder.path().join("log");
    let mut switch = site.opened(Log::Everything(&log)).await;
    let pid = switch.id().unwrap();
    let mut writings = Writings::new();
    let code = code(&site, manner).await;
    let mut pair = stands_there(&site, site.phone(), &code).await;
    let first = pair.sales(&site).await;
    bad_requests(&site, &first.id, &pair.token, &mut writings).await;
    told_to_operators(&site, &first.id, &mut writings).await;
    let secrets = secrets(&pair.token, &code);
    if manner == Manner::RelayedAndShown {
        whoever_is_connected_is_remembered(pid, &secrets).await;
    }
    let Pair { phone, till, .. } = pair;
    drop((phone, till));
    everybody_has_left(&site).await;
    let dump = memory::dump_of_the_switch(pid).await;
    let is_dumped = dump.is_some();
    writings.extend(dump.map(|dump| (THE_CORE.to_owned(), dump)));
    files(site.folder.path(), &mut writings);
    let handle = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(handle, rustix::process::Signal::TERM).unwrap();
    assert!(switch.wait().await.unwrap().success());
    told_from_the_journal(&site, &first.id, &mut writings).await;
    files(site.folder.path(), &mut writings);

    each_place_is_what_it_should_be(&writings);
    let (found, allowed) = (hits(&writings, &secrets), allowed(is_dumped));
    let leaked: Vec<&Hit> = found.difference(&allowed).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
    let missed: Vec<&Hit> = allowed.difference(&found).collect();
    assert!(missed.is_empty(), "the search is blind, or these moved: {missed:#?}");
    assert!(!lone(&writings["log"], &code), "the one-time code {code} is in the log");
}

/// Positive controls: the same search finds what is planted, in files and in a process's memory.
#[actix_web::test]
async fn a_planted_canary_is_found_in_every_coding_and_at_every_place() {
    let text = "nothing to see here ".repeat(50);
    let plain: Writings = [("log".to_owned(), text.clone().into_bytes())].into();
    let secrets = [Secret::new("password", PASSWORD)];
    assert_eq!(hits(&plain, &secrets), BTreeSet::new());
    let planted = planted(PASSWORD);
    for planted in &planted {
        let bytes = [text.as_bytes(), planted, text.as_bytes()].concat();
        let found = hits(&[("log".to_owned(), bytes)].into(), &secrets);
        assert!(!found.is_empty(), "{} was not found", String::from_utf8_lossy(planted));
    }
    assert!(lone(br#"{"code":"123456"}"#, "123456") && lone(b"code=123456", "123456"));
    assert!(!lone(b"08:15:00.123456Z 9123456 123456abc", "123456"));

    let Some(core) = memory::dump_of_a_holder(&planted).await else { return };
    let found = hits(&[("core".to_owned(), core)].into(), &secrets);
    let codings: BTreeSet<&str> = found.iter().map(|hit| hit.coding).collect();
    assert_eq!(codings, secrets[0].codings());
}

fn secrets(token: &str, code: &str) -> Vec<Secret> {
    let number = SUBSCRIBER.trim_start_matches('+');
    let shared = STANDARD.decode(SHARED_SECRET.trim_start_matches("whsec_")).unwrap();
    vec![
        Secret::new("the account", ACCOUNT),
        Secret::new("the password", PASSWORD),
        Secret::new("a wrong password", WRONG),
        Secret::new("the terminal's key", TILL_KEY),
        Secret::new("the phone's token", token),
        Secret::new("the one-time code, as phones send it", format!(r#"code":"{code}"#)),
        Secret::new("the one-time code, as it is sent", format!("{number} {code}")),
        Secret::new("the one-time code, as it is digested", format!("{number}\0{code}")),
        Secret::new("the admin token", ADMIN_TOKEN),
        Secret::new("the platform's shared secret", shared),
        Secret::new("the token secret", TOKEN_SECRET),
        Secret::new("the digest of the terminal's key", Sha256::digest(TILL_KEY)),
        Secret::new("the digest of the admin token", Sha256::digest(ADMIN_TOKEN)),
    ]
}

/// The only places where anything may be: secrets in the files that the operator keeps them in, digests in the
/// configuration and in memory.
fn allowed(is_dumped: bool) -> BTreeSet<Hit> {
    let hit = |secret, place: &str, coding| Hit { secret, place: place.to_owned(), coding };
    let mut allowed = BTreeSet::from([
        hit("the platform's shared secret", "platform.secret", "in base64"),
        hit("the token secret", "token.secret", "plain"),
        hit("the admin token", "admin.token", "plain"),
        hit("the digest of the terminal's key", "turnout.toml", "in hex"),
    ]);
    if is_dumped {
        allowed.insert(hit("the digest of the terminal's key", THE_CORE, "plain"));
        allowed.insert(hit("the digest of the admin token", THE_CORE, "plain"));
    }
    allowed
}

/// The control at the switch itself: what connected callers said last is in their connections' buffers, and the search
/// finds it there. It is the limit of the promise, too.
async fn whoever_is_connected_is_remembered(pid: u32, secrets: &[Secret]) {
    let Some(core) = memory::dump_of_the_switch(pid).await else { return };
    let found = hits(&[("core".to_owned(), core)].into(), secrets);
    let names: BTreeSet<&str> = found.iter().map(|hit| hit.secret).collect();
    assert!(names.contains("the terminal's key") && names.contains("the phone's token"), "{names:?}");
}

fn site(manner: Manner) -> Site {
    let till = TillKey { id: "T0".to_owned(), key: TILL_KEY.to_owned() };
    let site = Site::new(vec![till], Credential { account: ACCOUNT, password: PASSWORD });
    let at = |name: &str| site.folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("admin.token"), ADMIN_TOKEN).unwrap();
    site.reconfigure("[login]\n", &format!("token = {{ file = {:?} }}\n[login]\n", at("admin.token")));
    if manner == Manner::DirectAndSent {
        site.reconfigure("kind = \"sandbox\"\n", "kind = \"sandbox\"\ninterface = \"direct\"\n");
        let program = at("send-code");
        // The phone picks the message up and leaves none behind.
        std::fs::write(
            &program,
            "#!/bin/sh\ncat > \"$0.message.new\" && mv \"$0.message.new\" \"$0.message\"\n",
        )
        .unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        site.reconfigure("codes = \"page\"", &format!("codes = \"program\"\ncode_program = {program:?}"));
    }
    site
}

/// The one-time code, from the answer or from the message.
async fn code(site: &Site, manner: Manner) -> String {
    let shown = site.phone().ask_code(SUBSCRIBER).await.unwrap().code;
    if manner == Manner::RelayedAndShown {
        return shown.unwrap();
    }
    assert_eq!(shown, None);
    let message = site.folder.path().join("send-code.message");
    let text = std::fs::read_to_string(&message).unwrap();
    std::fs::remove_file(&message).unwrap();
    text.split_whitespace().last().unwrap().to_owned()
}

/// Until no connection to or from the switch is left: servers learn of a close when they next look.
async fn everybody_has_left(site: &Site) {
    let ports = [site.ports.phones, site.ports.terminals, site.ports.admin, site.sandbox.address().port()];
    let leaving = async {
        while connections(&ports) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), leaving).await.expect("somebody stays connected");
    // A connection is gone a moment before what served it is.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Connections on this machine with one of these ports at their near end, open or not yet closed by this side.
fn connections(ports: &[u16]) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_ours = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (near, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        let port = u16::from_str_radix(near.rsplit_once(':')?.1, 16).ok()?;
        // Established, and closed by the other side only.
        (ports.contains(&port) && ["01", "08"].contains(&state)).then_some(())
    };
    table.lines().filter(|line| is_ours(line).is_some()).count()
}

fn each_place_is_what_it_should_be(writings: &Writings) {
    // The read model's newest rows may still be in the log beside it: `read-model.sqlite-wal`.
    let contains = |place: &str, known: &str| {
        let mut there =
            writings.iter().filter(|(name, _)| name.strip_suffix("-wal").unwrap_or(name) == place);
        there.any(|(_, bytes)| bytes.windows(known.len()).any(|window| window == known.as_bytes()))
    };
    assert!(writings["log"].len() > 10_000, "a switch that says nothing proves nothing");
    for (place, known) in [
        ("journal/0000000001.segment", "Kiosk"),
        ("read-model.sqlite", "Kiosk"),
        ("/metrics", "turnout_payments_total"),
        ("/v1/payments", "Kiosk"),
        ("turnout trace", "took the money"),
    ] {
        assert!(contains(place, known), "{place} is not what it should be");
    }
}

/// What the tools say of the journal, and of this payment.
pub async fn told_from_the_journal(site: &Site, id: &str, writings: &mut Writings) {
    let journal = site.journal();
    let [journal, id] = [journal.to_str().unwrap(), id];
    for (name, arguments) in [
        ("turnout trace", vec!["trace", "--journal", journal, id]),
        ("turnout journal show", vec!["journal", "show", journal]),
    ] {
        let output = turnout().args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        writings.insert(name.to_owned(), [output.stdout, output.stderr].concat());
    }
}

/// Every file in the folder, those that the operator wrote too.
pub fn files(folder: &Path, writings: &mut Writings) {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else {
                // What was there while it ran and is gone after it closed stays searched.
                let bytes = std::fs::read(&path).unwrap();
                writings.entry(name).or_default().extend(bytes);
            }
        }
    }
}
