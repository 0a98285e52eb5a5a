//! Bad input over real sockets, and bad surroundings of a real process: what it says, and how soon.
//!
//! What the doors answer to bad requests in virtual time is `bad_input`; here are the things that only a socket, a file
//! or a second process can do.
use crate::house::{Heard, Log, Site, heard, refusal, turnout};
use std::net::TcpListener;
use std::time::Duration;

/// A head is waited for five seconds, and a busy machine may be late.
const HEAD_GONE: Duration = Duration::from_secs(7);
/// A body is waited for ten.
const BODY_GONE: Duration = Duration::from_secs(13);

#[actix_web::test]
async fn who_dribbles_is_sent_away_and_everybody_else_is_served() {
    let site = Site::small();
    let _switch = site.opened(Log::Nowhere).await;
    let ports = site.ports;
    let half_a_head = b"POST /v1/login/codes HTTP/1.1\r\nHost: switch\r\nContent-";
    let half_a_body = b"POST /v1/login/codes HTTP/1.1\r\nHost: switch\r\nContent-Type: application/json\r\n\
        Content-Length: 40\r\n\r\n{\"subsc";
    let (phones, terminals, admin, silent, body, other) = tokio::join!(
        heard(ports.phones, half_a_head, HEAD_GONE),
        heard(ports.terminals, half_a_head, HEAD_GONE),
        heard(ports.admin, half_a_head, HEAD_GONE),
        heard(ports.phones, b"", HEAD_GONE),
        heard(ports.phones, half_a_body, BODY_GONE),
        log_in_again_and_again(&site),
    );
    for Heard { text, closed_after } in [phones, terminals, admin, silent] {
        assert!(closed_after.is_some(), "a slow head is still there: {text:?}");
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    assert_eq!(body.status(), Some(408), "{body:?}");
    assert!(body.text.contains("application/problem+json"), "{body:?}");
    assert!(other < Duration::from_secs(5), "others had to wait for {other:?}");
}

/// How long the slowest of some log-ins took while others dribbled.
async fn log_in_again_and_again(site: &Site) -> Duration {
    let mut slowest = Duration::ZERO;
    for payer in 0..10 {
        let began = tokio::time::Instant::now();
        site.phone().log_in_by_shown_code(&format!("+99900013{payer:02}")).await.unwrap();
        slowest = slowest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    slowest
}

#[actix_web::test]
async fn too_much_is_refused_by_its_size_however_it_is_sent() {
    let site = Site::small();
    let mut switch = site.opened(Log::Nowhere).await;
    let head = "POST /v1/login/codes HTTP/1.1\r\nHost: switch\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let announced = format!("{head}Content-Length: 1000000\r\n\r\n");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let unannounced = format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(5));
    for bytes in [announced, unannounced] {
        let heard = heard(site.ports.phones, bytes.as_bytes(), BODY_GONE).await;
        assert_eq!(heard.status(), Some(413), "{heard:?}");
        assert!(heard.text.contains("at most 16384 bytes"), "{heard:?}");
    }
    let endless_head = format!("GET /livez HTTP/1.1\r\nX-Long: {}", "x".repeat(1_000_000));
    let heard = heard(site.ports.admin, endless_head.as_bytes(), HEAD_GONE).await;
    assert!(heard.closed_after.is_some() && heard.status() != Some(200), "{heard:?}");
    assert!(switch.try_wait().unwrap().is_none(), "the switch did not survive it");
}

#[actix_web::test]
async fn noise_and_smuggling_get_an_answer_or_nothing_but_never_through() {
    let site = Site::small();
    let mut switch = site.opened(Log::Nowhere).await;
    let two_lengths: &[u8] =
        b"POST /v1/login/codes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef";
    let both: &[u8] =
        b"POST /v1/login/codes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for noise in
        [two_lengths, both, b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let heard = heard(site.ports.phones, noise, HEAD_GONE).await;
        assert!(heard.closed_after.is_some(), "{heard:?}");
        assert!(heard.status().is_none_or(|status| (400..500).contains(&status)), "{heard:?}");
    }
    assert!(switch.try_wait().unwrap().is_none(), "the switch did not survive it");
}

#[actix_web::test]
async fn a_typo_in_the_configuration_is_named_with_its_line_and_a_wrong_value_with_its_key() {
    let site = Site::small();
    let checked = || {
        let mut command = turnout();
        command.arg("check-config").arg(&site.config);
        command
    };
    assert!(checked().output().await.unwrap().status.success());
    site.reconfigure("segment_mib = 1", "segment_mb = 1");
    for said in [refusal(checked()).await, site.refusal().await] {
        for needed in ["turnout.toml", "line 5", "segment_mb", "expected one of", "segment_mib"] {
            assert!(said.contains(needed), "{needed} is missing: {said}");
        }
    }
    site.reconfigure("segment_mb = 1", "segment_mib = 1");
    site.reconfigure("EUR = \"9000.00\"", "EUR = \"9000.001\"");
    let said = refusal(checked()).await;
    assert!(said.contains("merchant[0].limits.EUR: more decimals than the currency has"), "{said}");
}

#[actix_web::test]
async fn a_port_that_somebody_holds_is_named_by_its_key() {
    let site = Site::small();
    let _held = TcpListener::bind(("127.0.0.1", site.ports.terminals)).unwrap();
    let said = site.refusal().await;
    let expected = format!("terminals.listen 127.0.0.1:{}: choose another port", site.ports.terminals);
    assert!(said.contains(&expected), "{said}");
}

#[actix_web::test]
async fn a_journal_has_one_writer_and_the_second_is_told_so() {
    let site = Site::small();
    let mut first = site.opened(Log::Nowhere).await;
    let said = site.refusal().await;
    assert!(said.contains("node.journal") && said.contains("in use by another process"), "{said}");
    assert!(first.try_wait().unwrap().is_none(), "the first one has to go on");
    site.phone().log_in_by_shown_code("+9990001350").await.unwrap();
}

#[actix_web::test]
async fn a_journal_that_is_damaged_in_its_middle_is_refused_with_file_and_offset() {
    let site = Site::small();
    let mut switch = site.opened(Log::Nowhere).await;
    let mut phone = site.phone();
    phone.log_in_by_shown_code("+9990001360").await.unwrap();
    for _ in 0..4 {
        phone.bind("T0").await.unwrap();
        phone.leave().await.unwrap();
    }
    switch.start_kill().unwrap();
    switch.wait().await.unwrap();
    let segment = site.journal().join("0000000001.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 0x40;
    std::fs::write(&segment, &bytes).unwrap();
    let said = site.refusal().await;
    let offset = said.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<usize>().ok());
    let near = offset.into_iter().any(|offset| (1..=end / 2).contains(&offset) && end / 2 - offset < 300);
    assert!(said.contains("0000000001.segment") && near, "damaged at {}: {said}", end / 2);
    bytes[end / 2] ^= 0x40;
    std::fs::write(&segment, &bytes).unwrap();
    let _repaired = site.opened(Log::Nowhere).await;
}
