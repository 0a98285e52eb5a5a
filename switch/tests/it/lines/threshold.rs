//! Those who are sent away from a line: told later, and at no more cost than that.
use super::manners::{EVERYBODY, paused, terminal};
use super::parrot::{Counted, frame, settings};
use std::time::Duration;
use switch::line::LineSettings;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

#[actix_web::test]
async fn who_is_sent_away_is_told_when_it_is_due_and_others_meanwhile() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut terminal = terminal(&perch);
    let began = Instant::now();
    terminal.send(&[frame("0200away 300"), frame("0200away 310"), frame("0800echo")].concat()).await;
    assert_eq!(terminal.hear().await.unwrap(), "0800echo");
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    assert_eq!((perch.heard(), perch.line().in_flight(), perch.line().messages()), (1, 2, 3));
    assert_eq!(perch.lines.terminals_seen(&EVERYBODY).len(), 1, "it is online");
    assert_eq!(terminal.hear().await.unwrap(), "0200away 300");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(terminal.hear().await.unwrap(), "0200away 310");
    assert!(began.elapsed() < Duration::from_millis(350), "{:?}", began.elapsed());
    let financial = r#"{line="shops",mti="0200",class="financial",code="91"}"#;
    assert_eq!(counted.value(&format!("turnout_line_messages_total{financial}")), "2");
    let took = r#"turnout_line_round_trip_seconds_sum{line="shops",class="financial"}"#;
    assert_eq!(counted.value(took), "0.61");
    assert_eq!(perch.line().in_flight(), 0);
}

#[actix_web::test]
async fn a_connection_that_has_as_many_noes_coming_as_it_may_is_read_no_further() {
    let perch = paused(LineSettings { in_flight_max: 3, ..settings() });
    let mut hasty = terminal(&perch);
    let began = Instant::now();
    hasty.send(&frame("0200away 300").repeat(9)).await;
    for _ in 0..9 {
        assert_eq!(hasty.hear().await.unwrap(), "0200away 300");
        assert!(perch.line().in_flight() <= 3);
    }
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn whoever_waits_for_a_no_is_not_idle_and_hears_it_after_hanging_up_on_its_own_side() {
    let counted = Counted::here();
    let perch = paused(LineSettings { idle: Duration::from_millis(100), ..settings() });
    let mut terminal = terminal(&perch);
    terminal.say("0200away 300").await;
    terminal.stream.shutdown().await.unwrap();
    assert_eq!(terminal.hear_out().await, ["0200away 300"]);
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="peer"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_dropped_total{line="shops",reason="gone"}"#), "nothing");
}

#[actix_web::test]
async fn a_line_that_closes_tells_the_noes_that_are_coming() {
    let perch = paused(settings());
    let mut terminal = terminal(&perch);
    terminal.say("0200away 300").await;
    sleep(Duration::from_millis(10)).await;
    perch.lines.drain();
    assert_eq!(terminal.hear_out().await, ["0200away 300"]);
}

#[actix_web::test]
async fn a_no_to_whoever_is_gone_is_dropped_and_counted() {
    let counted = Counted::here();
    let perch = paused(settings());
    let mut gone = terminal(&perch);
    gone.say("0200away 5000").await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(perch.line().in_flight(), 1);
    gone.say("0200away 60000").await;
    drop(gone);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(perch.line().in_flight(), 0);
    assert_eq!(counted.value(r#"turnout_line_dropped_total{line="shops",reason="gone"}"#), "1");
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="broken"}"#), "1");
}

#[actix_web::test]
async fn a_panic_at_the_threshold_costs_nobody_an_answer() {
    let perch = paused(settings());
    let mut terminal = terminal(&perch);
    terminal.say("0200trip").await;
    let answer = timeout(Duration::from_secs(1), terminal.hear()).await.unwrap();
    assert_eq!(answer.unwrap(), "0200trip");
}
