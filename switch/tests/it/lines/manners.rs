//! One connection in virtual time, over a pipe that holds what a small network would.
use super::parrot::{Counted, Perch, Terminal, frame, settings};
use actors::domain::identity::TerminalId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use switch::line::{LineSettings, Wanted, serve_connection};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

const EVERYBODY: Wanted<'_> = Wanted { terminal: None, line: None, online: None, most: 10 };

/// A terminal on a line like this.
fn terminal(perch: &Perch) -> Terminal<DuplexStream> {
    terminal_behind(perch, 64 * 1024)
}

/// The same, over a network that holds so many bytes in each direction.
fn terminal_behind(perch: &Perch, bytes: usize) -> Terminal<DuplexStream> {
    let (here, there) = tokio::io::duplex(bytes);
    let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
    actix_rt::spawn(serve_connection(there, peer, Arc::clone(perch.line()), perch.answering()));
    Terminal::at(here)
}

fn paused(settings: LineSettings) -> Perch {
    tokio::time::pause();
    Perch::with(settings)
}

#[actix_web::test]
async fn answers_go_out_as_they_are_ready() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut terminal = terminal(&perch);
    let both = [frame("0200wait 250"), frame("0800echo"), vec![0, 0]].concat();
    terminal.send(&both).await;
    assert_eq!(terminal.hear().await.unwrap(), "alive");
    assert_eq!(terminal.hear().await.unwrap(), "0800echo");
    assert_eq!(terminal.hear().await.unwrap(), "0200wait 250");
    let financial = r#"{line="shops",mti="0200",class="financial",code="00"}"#;
    assert_eq!(counted.value(&format!("turnout_line_messages_total{financial}")), "1");
    let took = r#"turnout_line_round_trip_seconds_sum{line="shops",class="financial"}"#;
    assert!(counted.value(took).starts_with("0.25"), "{}", counted.value(took));
    assert_eq!(counted.value(r#"turnout_line_keep_alives_total{line="shops"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_in_flight{line="shops"}"#), "0");
    assert_eq!((perch.line().messages(), perch.line().in_flight()), (2, 0));
}

#[actix_web::test]
async fn a_frame_that_comes_a_byte_a_second_is_waited_for_ten_seconds_and_no_longer() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut slow = terminal(&perch);
    for part in frame("0200echo").chunks(3) {
        slow.send(part).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(slow.hear().await.unwrap(), "0200echo", "seven seconds are borne");
    let began = Instant::now();
    for byte in frame("0200echo and a longer one than that").iter().take(30) {
        if slow.stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(slow.hear().await, None);
    assert!((10..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(counted.value(r#"turnout_line_bad_frames_total{line="shops",reason="slow"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="slow"}"#), "1");
}

#[actix_web::test]
async fn whoever_says_nothing_is_hung_up_on_and_a_keep_alive_is_something() {
    let perch = paused(LineSettings { idle: Duration::from_mins(1), ..settings() });
    let mut quiet = terminal(&perch);
    for _ in 0..5 {
        sleep(Duration::from_secs(50)).await;
        quiet.send(&[0, 0]).await;
        assert_eq!(quiet.hear().await.unwrap(), "alive");
    }
    let began = Instant::now();
    assert_eq!(quiet.hear().await, None);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[actix_web::test]
async fn whoever_waits_for_an_answer_is_not_idle() {
    let perch = paused(LineSettings { idle: Duration::from_secs(5), ..settings() });
    let mut terminal = terminal(&perch);
    terminal.say("0200wait 25000").await;
    assert_eq!(terminal.hear().await.unwrap(), "0200wait 25000");
}

#[actix_web::test]
async fn a_flood_of_nothing_is_answered_ten_times_a_second_and_then_ended() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut flood = terminal(&perch);
    flood.send(&[0; 4000]).await;
    assert_eq!(flood.hear_out().await.len(), 10);
    assert_eq!(counted.value(r#"turnout_line_bad_frames_total{line="shops",reason="flood"}"#), "16");
    let mut steady = terminal(&perch);
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        steady.send(&[0, 0]).await;
        assert_eq!(steady.hear().await.unwrap(), "alive");
    }
}

#[actix_web::test]
async fn a_frame_of_64_kib_ends_the_line_and_what_was_asked_before_is_answered() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut huge = terminal(&perch);
    huge.send(&[frame("0200wait 3000"), vec![0xff, 0xff], vec![0x60; 2000]].concat()).await;
    assert_eq!(huge.hear_out().await, ["0200wait 3000"]);
    assert_eq!(counted.value(r#"turnout_line_bad_frames_total{line="shops",reason="too_long"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="framing"}"#), "1");
}

#[actix_web::test]
async fn a_bad_frame_is_borne_until_there_are_too_many_and_good_ones_make_up_for_them() {
    let perch = paused(LineSettings { bad_messages_max: 3, ..settings() });
    let mut clumsy = terminal(&perch);
    let no_tpdu = [&[0, 17][..], &[0; 17]].concat();
    for _ in 0..10 {
        clumsy.send(&no_tpdu).await;
        clumsy.say("0200blame").await;
        for _ in 0..2 {
            clumsy.say("0800echo").await;
            assert_eq!(clumsy.hear().await.unwrap(), "0800echo");
        }
    }
    clumsy.send(&no_tpdu.repeat(3)).await;
    clumsy.say("0800echo").await;
    assert_eq!(clumsy.hear().await, None, "nothing is heard after the third");
}

#[actix_web::test]
async fn a_line_that_is_busy_enough_is_not_read_and_its_peers_writes_block() {
    let perch = paused(LineSettings { in_flight_max: 4, ..settings() });
    let mut eager = terminal_behind(&perch, 256);
    let many = frame("0200wait 5000").repeat(40);
    let blocked = timeout(Duration::from_secs(4), eager.stream.write_all(&many)).await;
    assert!(blocked.is_err(), "its writes block");
    assert_eq!((perch.heard(), perch.line().in_flight()), (4, 4));
    // What the peer could not send meanwhile is not held against it.
    let perch = Perch::with(LineSettings { in_flight_max: 4, ..settings() });
    let mut eager = terminal_behind(&perch, 256);
    let (mut reading, mut writing) = tokio::io::split(&mut eager.stream);
    let began = Instant::now();
    let answered = async {
        let mut all = vec![0; many.len()];
        tokio::io::AsyncReadExt::read_exact(&mut reading, &mut all).await.unwrap();
    };
    let (written, ()) = tokio::join!(writing.write_all(&many), answered);
    written.unwrap();
    assert_eq!(began.elapsed().as_secs(), 50, "four at a time");
}

#[actix_web::test]
async fn a_peer_that_does_not_read_its_answers_is_read_no_more_and_hung_up_on() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut deaf = terminal_behind(&perch, 1024);
    let began = Instant::now();
    let flood = frame("0200echo").repeat(10_000);
    assert!(deaf.stream.write_all(&flood).await.is_err(), "it was hung up on");
    assert!(began.elapsed() >= Duration::from_secs(10));
    // 64 KiB of answers wait for it, what the pipe holds, what is in flight, and no more.
    assert!(perch.heard() < 4_500, "{}", perch.heard());
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="unread"}"#), "1");
}

#[actix_web::test]
async fn a_slow_reader_that_does_read_gets_everything() {
    let perch = paused(settings());
    let mut slow = terminal_behind(&perch, 128);
    let (mut reading, mut writing) = tokio::io::split(&mut slow.stream);
    let (asked, began) = (frame("0200echo").repeat(2000), Instant::now());
    let read = async {
        let (mut all, mut some) = (0, [0; 19]);
        while all < asked.len() {
            sleep(Duration::from_millis(20)).await;
            let count = tokio::io::AsyncReadExt::read(&mut reading, &mut some).await.unwrap();
            assert!(count > 0, "hung up on after {all} bytes");
            all += count;
        }
    };
    let (written, ()) = tokio::join!(writing.write_all(&asked), read);
    written.unwrap();
    assert!(perch.done() == 2000 && began.elapsed() > Duration::from_secs(39));
}

#[actix_web::test]
async fn whoever_hangs_up_its_own_side_still_gets_its_answers() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut half = terminal(&perch);
    half.send(&[frame("0200wait 29000"), frame("0800echo"), vec![0, 40, 0x60]].concat()).await;
    half.stream.shutdown().await.unwrap();
    assert_eq!(half.hear_out().await, ["0800echo", "0200wait 29000"]);
    assert_eq!(counted.value(r#"turnout_line_bad_frames_total{line="shops",reason="truncated"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="peer"}"#), "1");
}

#[actix_web::test]
async fn a_terminal_that_is_gone_disturbs_no_answer() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut gone = terminal_behind(&perch, 16);
    gone.say("0200wait 1000").await;
    gone.say("0200wait 2000").await;
    drop(gone);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((perch.heard(), perch.done()), (2, 2));
    assert_eq!(counted.value(r#"turnout_line_in_flight{line="shops"}"#), "0");
    assert_eq!(counted.value(r#"turnout_line_dropped_total{line="shops",reason="gone"}"#), "1");
}

#[actix_web::test]
async fn a_panic_costs_one_answer_and_no_connection() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut terminal = terminal(&perch);
    for message in ["0200stumble", "0200sulk", "0200shout", "0800echo"] {
        terminal.say(message).await;
    }
    assert_eq!(terminal.hear().await.unwrap(), "0800echo");
    let dropped =
        |reason| counted.value(&format!("turnout_line_dropped_total{{line=\"shops\",reason=\"{reason}\"}}"));
    assert_eq!((dropped("crashed").as_str(), dropped("unframed").as_str()), ("1", "1"));
    assert_eq!(perch.line().in_flight(), 0);
}

#[actix_web::test]
async fn an_answer_that_never_comes_gives_its_place_back() {
    let counted = Counted::here();
    let perch = paused(LineSettings { in_flight_max: 1, ..settings() });
    let mut terminal = terminal(&perch);
    terminal.say("0200hang").await;
    terminal.say("0800echo").await;
    let began = Instant::now();
    assert_eq!(terminal.hear().await.unwrap(), "0800echo");
    assert_eq!(began.elapsed().as_secs(), 35, "the terminal's patience, and a little");
    assert_eq!(counted.value(r#"turnout_line_dropped_total{line="shops",reason="late"}"#), "1");
}

#[actix_web::test]
async fn a_line_that_drains_lets_out_what_was_begun_and_begins_nothing() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut waiting = terminal(&perch);
    waiting.say("0200wait 3000").await;
    let mut stuck = terminal(&perch);
    stuck.say("0200hang").await;
    sleep(Duration::from_millis(100)).await;
    perch.lines.drain();
    waiting.say("0200echo").await;
    assert_eq!(waiting.hear_out().await, ["0200wait 3000"]);
    let began = Instant::now();
    assert_eq!(stuck.hear_out().await, Vec::<String>::new());
    assert!(began.elapsed() < Duration::from_secs(10), "what does not come within the closing time is left");
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="drained"}"#), "2");
}

#[actix_web::test]
async fn a_terminal_is_online_while_it_is_connected_and_remembered_afterwards() {
    let perch = paused(settings());
    let t1 = TerminalId::new("T1").unwrap();
    let mut first = terminal(&perch);
    let mut second = terminal(&perch);
    for terminal in [&mut first, &mut second] {
        terminal.say("0200as T1").await;
        terminal.hear().await.unwrap();
    }
    second.say("0200as T2").await;
    second.hear().await.unwrap();
    assert_eq!((perch.lines.terminals(), perch.line().terminals()), ((2, 2), 3));
    let only =
        |terminal| perch.lines.terminals_seen(&Wanted { terminal: Some(terminal), ..EVERYBODY })[0].clone();
    assert_eq!((only(t1).connections, &*only(t1).line), (2, "shops"));
    first.stream.shutdown().await.unwrap();
    first.hear_out().await;
    assert!(only(t1).online_since.is_some());
    second.stream.shutdown().await.unwrap();
    second.hear_out().await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!((perch.lines.terminals(), perch.line().terminals()), ((0, 2), 0));
    assert_eq!((only(t1).connections, only(t1).online_since), (0, None));
}

#[actix_web::test]
async fn more_terminals_than_can_be_remembered_are_served_and_not_shown() {
    let perch = paused(settings());
    let mut host = terminal(&perch);
    for number in 0..5 {
        host.say(&format!("0200as T{number}")).await;
        assert_eq!(host.hear().await.unwrap(), format!("0200as T{number}"));
    }
    assert_eq!((perch.lines.terminals(), perch.line().terminals()), ((3, 3), 3));
    let seen = perch.lines.terminals_seen(&Wanted { online: Some(true), most: 2, ..EVERYBODY });
    assert_eq!(seen.len(), 2);
    assert!(perch.lines.terminals_seen(&Wanted { line: Some("elsewhere"), ..EVERYBODY }).is_empty());
}
