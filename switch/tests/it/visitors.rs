//! A phone and a terminal as strangers to the switch: they know docs/http-api.md and nothing else.
use crate::world::House;
use actix_http::Request;
use actix_service::{Service, ServiceFactory};
use actix_web::body::{self, BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Response};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use actix_web::{App, Error};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use std::rc::Rc;
use switch::api::{Begins, Porter};

/// An answer, read to its end.
#[derive(Debug)]
pub struct Heard {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body, if the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem, if it is one of this status and blames this field.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, field: Option<&str>) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert!(problem["type"].as_str().unwrap().starts_with("urn:turnout:problem:"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert_eq!(problem.get("field").and_then(Value::as_str), field, "{problem}");
        problem
    }
}

/// Somewhere requests can be sent.
pub type Door = Rc<dyn Fn(TestRequest) -> futures_util::future::LocalBoxFuture<'static, Heard>>;
/// A listener's app.
pub trait Listener: Service<Request, Response = Response<BoxBody>, Error = Error> {}
impl<S: Service<Request, Response = Response<BoxBody>, Error = Error>> Listener for S {}

fn door_of(app: Result<impl Listener + 'static, ()>) -> Door {
    let app = Rc::new(app.unwrap_or_else(|()| panic!("the app cannot be made")));
    Rc::new(move |request: TestRequest| {
        let app = Rc::clone(&app);
        Box::pin(async move {
            let answered = app.call(request.to_request()).await;
            read(answered.unwrap_or_else(|error| panic!("no answer: {error}"))).await
        })
    })
}

async fn read<B: MessageBody>(response: Response<B>) -> Heard {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes =
        body::to_bytes(response.into_body()).await.unwrap_or_else(|_| panic!("a body that breaks off"));
    Heard { status, headers, bytes: bytes.to_vec() }
}

pub async fn phones_door(house: &House) -> Door {
    let app = App::new().configure(switch::api::phones(&house.doors));
    door_of(Porter::new(&house.doors, Begins::Standing).before(app).new_service(AppConfig::default()).await)
}

pub async fn terminals_door(house: &House) -> Door {
    let app = App::new().configure(switch::api::terminals(&house.doors));
    door_of(Porter::new(&house.doors, Begins::Order).before(app).new_service(AppConfig::default()).await)
}

pub async fn admin_door(house: &House) -> Door {
    let app = App::new().configure(switch::api::admin(&house.doors));
    door_of(Porter::new(&house.doors, Begins::Nothing).before(app).new_service(AppConfig::default()).await)
}

/// A terminal with its key.
pub struct Till {
    pub door: Door,
    basic: String,
}

impl Till {
    pub async fn new(house: &House, id: &str, key: &str) -> Self {
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{key}")));
        Self { door: terminals_door(house).await, basic }
    }

    pub fn request(&self, request: TestRequest, path: &str) -> TestRequest {
        request.uri(path).insert_header(("authorization", self.basic.clone()))
    }

    pub async fn get(&self, path: &str) -> Heard {
        (self.door)(self.request(TestRequest::get(), path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Heard {
        (self.door)(self.request(TestRequest::post(), path).set_json(body)).await
    }

    pub async fn charge(&self, key: &str, body: &Value, wait: u64) -> Heard {
        let request = self.request(TestRequest::post(), "/v1/payments").set_json(body);
        let request = request.insert_header(("idempotency-key", key.to_owned()));
        (self.door)(request.insert_header(("prefer", format!("wait={wait}")))).await
    }

    pub async fn refund(&self, payment: &str, key: &str, body: &Value) -> Heard {
        let path = format!("/v1/payments/{payment}/refunds");
        let request = self.request(TestRequest::post(), &path).set_json(body);
        (self.door)(request.insert_header(("idempotency-key", key.to_owned()))).await
    }
}

/// A phone with its own key, logged in.
pub struct Handset {
    pub door: Door,
    pub token: String,
    key: SigningKey,
}

impl Handset {
    pub async fn log_in(house: &House, subscriber: &str) -> Self {
        let door = phones_door(house).await;
        let code = ask_for_code(&door, subscriber).await;
        let key = device_key(subscriber);
        let body = json!({"subscriber": subscriber, "code": code, "device_key": jwk(&key)});
        let heard = door(TestRequest::post().uri("/v1/login").set_json(&body)).await;
        let token = heard.expect(200)["access_token"].as_str().unwrap().to_owned();
        Self { door, token, key }
    }

    pub fn request(&self, request: TestRequest, path: &str) -> TestRequest {
        request.uri(path).insert_header(("authorization", format!("Bearer {}", self.token)))
    }

    pub async fn get(&self, path: &str) -> Heard {
        (self.door)(self.request(TestRequest::get(), path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Heard {
        (self.door)(self.request(TestRequest::post(), path).set_json(body)).await
    }

    pub async fn stand_at(&self, terminal: &str) -> Heard {
        let body = json!({"terminal": terminal});
        (self.door)(self.request(TestRequest::put(), "/v1/binding").set_json(&body)).await
    }

    /// What awaits this payer first.
    pub async fn card(&self) -> Value {
        self.get("/v1/payments").await.expect(200)["payments"][0].clone()
    }

    /// The body of a confirmation of what the card shows.
    pub fn confirmation(&self, card: &Value) -> Value {
        let text = |name: &str| card[name].as_str().unwrap_or_default().to_owned();
        let signed = format!(
            "turnout-confirmation-v1\n{}\n{}\n{}\n{}\n{}\n{}",
            text("id"),
            text("amount"),
            text("currency"),
            text("merchant"),
            text("terminal"),
            card["epoch"]
        );
        let signature: Signature = self.key.sign(signed.as_bytes());
        json!({
            "amount": card["amount"], "currency": card["currency"], "epoch": card["epoch"],
            "device_key": jwk(&self.key), "signature": URL_SAFE_NO_PAD.encode(signature.to_bytes()),
        })
    }

    pub async fn confirm(&self, card: &Value) -> Heard {
        let path = format!("/v1/payments/{}/confirmation", card["id"].as_str().unwrap());
        self.post(&path, &self.confirmation(card)).await
    }

    /// Hands in a "sealed" credential whose middle tells the platform what to say.
    pub async fn pay(&self, payment: &Value, says: &str) -> Heard {
        let url = payment["interface"]["url"].as_str().unwrap().to_owned();
        self.present(&url, &format!("aa..{says}.bb.cc")).await
    }

    pub async fn present(&self, url: &str, credential: &str) -> Heard {
        let request =
            self.request(TestRequest::post(), url).insert_header(("content-type", "application/jose"));
        (self.door)(request.set_payload(credential.to_owned())).await
    }
}

pub async fn ask_for_code(door: &Door, subscriber: &str) -> String {
    let body = json!({"subscriber": subscriber});
    let heard = door(TestRequest::post().uri("/v1/login/codes").set_json(&body)).await;
    heard.expect(202)["code"].as_str().unwrap().to_owned()
}

/// A key of the device's own; the same for the same name.
pub fn device_key(name: &str) -> SigningKey {
    let mut secret = [1; 32];
    secret.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    SigningKey::from_bytes(&secret.into()).unwrap()
}

pub fn jwk(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_encoded_point(false);
    let [x, y] =
        [point.x().unwrap(), point.y().unwrap()].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
}
