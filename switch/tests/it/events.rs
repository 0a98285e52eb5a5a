//! The stream that wakes phones: numbers to resume from, a heartbeat, and an end.
use crate::visitors::{Handset, Till};
use crate::world::{House, house, house_with, settings};
use actix_web::body::MessageBody;
use actix_web::test::TestRequest;
use actix_web::{App, test};
use serde_json::{Value, json};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use switch::api::Settings;

const PAYER: &str = "15550000001";

/// An open stream, read event by event.
struct Stream(Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>>);

#[derive(Debug, Default)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Stream {
    async fn open(house: &House, phone: &Handset, last: Option<&str>) -> Self {
        let app = test::init_service(App::new().configure(switch::api::phones(&house.doors))).await;
        let mut request = phone.request(TestRequest::get(), "/v1/events");
        if let Some(last) = last {
            request = request.insert_header(("last-event-id", last));
        }
        let response = test::call_service(&app, request.to_request()).await;
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let mut stream = Self(Box::pin(response.into_body()));
        assert_eq!(stream.chunk().await.unwrap(), "retry: 1000\n\n");
        stream
    }

    async fn chunk(&mut self) -> Option<String> {
        let chunk = poll_fn(|task| self.0.as_mut().poll_next(task)).await?;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }

    /// The next event; heartbeats are passed over.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let chunk = self.chunk().await?;
            if !chunk.starts_with(':') {
                return Some(parse(&chunk));
            }
        }
    }
}

fn parse(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(": ").unwrap() {
            ("id", id) => id.clone_into(&mut event.id),
            ("event", name) => name.clone_into(&mut event.name),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    event
}

async fn charge(till: &Till, key: &str) {
    till.charge(key, &json!({"amount": "12.50", "currency": "EUR"}), 0).await.expect(202);
}

/// A phone that stands at a terminal and listens.
async fn listening(house: &House) -> (Till, Handset, Stream) {
    let (till, phone) = (Till::new(house, "T1", "key-1").await, Handset::log_in(house, PAYER).await);
    phone.stand_at("T1").await.expect(200);
    let mut stream = Stream::open(house, &phone, None).await;
    // A phone that comes without a number is told to fetch the list.
    assert_eq!(stream.event().await.unwrap().name, "resync");
    (till, phone, stream)
}

#[actix_web::test]
async fn a_phone_is_woken_and_resumes_where_it_was() {
    tokio::time::pause();
    let house = house();
    let (till, phone, mut stream) = listening(&house).await;
    charge(&till, "sale-1").await;
    let shown = stream.event().await.unwrap();
    assert_eq!((shown.name.as_str(), &shown.data["status"]), ("payment", &json!("awaiting_confirmation")));
    drop(stream);
    phone.confirm(&phone.card().await).await.expect(200);
    let mut resumed = Stream::open(&house, &phone, Some(&shown.id)).await;
    let missed = resumed.event().await.unwrap();
    assert_eq!((missed.name.as_str(), &missed.data["id"]), ("payment", &shown.data["id"]));
    assert_ne!(missed.id, shown.id);
}

#[actix_web::test]
async fn a_number_of_another_life_is_answered_with_resync() {
    tokio::time::pause();
    let house = house();
    let phone = Handset::log_in(&house, PAYER).await;
    for last in ["1-1", "nonsense", "18446744073709551616-1"] {
        let mut stream = Stream::open(&house, &phone, Some(last)).await;
        assert_eq!(stream.event().await.unwrap().name, "resync", "{last}");
    }
}

#[actix_web::test]
async fn a_quiet_stream_is_kept_alive_and_ends_with_the_token() {
    tokio::time::pause();
    let house = house();
    let phone = Handset::log_in(&house, PAYER).await;
    let mut stream = Stream::open(&house, &phone, None).await;
    stream.event().await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(stream.chunk().await.unwrap(), ": still here\n\n");
    assert!(began.elapsed() <= Duration::from_secs(16));
    while stream.chunk().await.is_some() {}
    let lasted = began.elapsed();
    assert!(lasted <= Duration::from_secs(601) && lasted >= Duration::from_secs(590), "{lasted:?}");
}

#[actix_web::test]
async fn streams_are_bounded_and_hung_up_when_the_node_drains() {
    tokio::time::pause();
    let house = house_with(Settings { streams_max: 1, ..settings() });
    let phone = Handset::log_in(&house, PAYER).await;
    let mut stream = Stream::open(&house, &phone, None).await;
    stream.event().await.unwrap();
    let refused = phone.get("/v1/events").await;
    refused.expect_problem(503, None);
    assert_eq!(refused.header("retry-after"), Some("5"));
    house.doors.streams().hang_up();
    assert!(stream.event().await.is_none());
    phone.get("/v1/events").await.expect_problem(503, None);
}

#[actix_web::test]
async fn what_a_payer_is_to_act_on_is_told_at_once_and_of_the_steps_between_only_the_last() {
    tokio::time::pause();
    let house = house();
    let (till, phone, mut stream) = listening(&house).await;
    let told = async |stream: &mut Stream| {
        let asked = tokio::time::Instant::now();
        let event = stream.event().await.unwrap();
        (event.data["status"].as_str().unwrap().to_owned(), asked.elapsed())
    };
    charge(&till, "sale-1").await;
    assert_eq!(told(&mut stream).await, ("awaiting_confirmation".to_owned(), Duration::ZERO));
    let granted = phone.confirm(&phone.card().await).await.expect(200);
    assert_eq!(
        told(&mut stream).await,
        ("awaiting_payment".to_owned(), Duration::ZERO),
        "no awaiting_permit"
    );
    phone.pay(&granted, "right").await.expect(200);
    let (status, waited) = told(&mut stream).await;
    assert_eq!(status, "approved");
    assert!(waited > Duration::ZERO && waited <= Duration::from_millis(21), "{waited:?}");
}

#[actix_web::test]
async fn what_waits_to_be_told_goes_with_what_a_payer_is_to_act_on() {
    tokio::time::pause();
    let house = house();
    let (till, phone, mut stream) = listening(&house).await;
    charge(&till, "sale-1").await;
    stream.event().await.unwrap();
    let card = phone.card().await;
    phone
        .post(
            &format!("/v1/payments/{}/decline", card["id"].as_str().unwrap()),
            &json!({"epoch": card["epoch"]}),
        )
        .await
        .expect(200);
    phone.stand_at("T1").await.expect(200);
    charge(&till, "sale-2").await;
    let both = stream.chunk().await.unwrap();
    let statuses: Vec<_> =
        both.split_terminator("\n\n").map(|event| parse(event).data["status"].clone()).collect();
    assert_eq!(statuses, ["declined", "awaiting_confirmation"]);
}
