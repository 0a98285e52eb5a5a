//! The sandbox over HTTP: who may ask what, and the trouble that is carried out on the way.
//!
//! The `App`'s pieces come from `switch_door` and `payer_door`, so that a simulation can serve them too. The switch
//! signs its requests; a phone's payment is authorised by its permit; books and trouble are open to whoever reaches
//! the switch's door, which is why a sandbox belongs on a private address.
use super::books::BooksRefusal;
use super::callback::{CallbackBody, Due};
use super::desk::{Desk, Done, PermitRequest, another, decode};
use super::problem::Problem;
use super::trouble::{Operation, Plan, Trouble, Troubles};
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use actors::domain::identity::{PayerId, PaymentId};
use actors::domain::money::Money;
use actors::ports::platform::HeaderLookup;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How long silence lasts before the connection is given back.
const SILENCE: Duration = Duration::from_mins(2);

/// What the switch, and a test's auditor, reach.
pub fn switch_door(desk: Data<Desk>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(desk)
            .service(only("/v1/permits", Method::POST, web::post().to(permit)))
            .service(only("/v1/payments/{payment}", Method::GET, web::get().to(query)))
            .service(only("/v1/payments/{payment}/reversal", Method::POST, web::post().to(reverse)))
            .service(only("/v1/payments/{payment}/refunds", Method::POST, web::post().to(refund)))
            .service(only("/v1/daily", Method::GET, web::get().to(daily)))
            .service(only("/v1/books", Method::GET, web::get().to(books)))
            .service(trouble_desk())
            .service(pay_desk())
            .default_service(web::to(nowhere));
    }
}

/// What a phone reaches, where phones have a listener of their own.
pub fn payer_door(desk: Data<Desk>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(desk).service(pay_desk()).default_service(web::to(nowhere));
    }
}

/// What is sent back, or not.
enum Reply {
    Answer(Done),
    No(Problem),
    Raw(StatusCode, String),
    Redirect,
    CutOff,
    Silence,
}

#[derive(Deserialize)]
struct DailyQuery {
    date: Option<String>,
}

/// Reads request headers for the signature.
#[derive(Debug)]
struct Headers<'a>(&'a HttpRequest);

impl HeaderLookup for Headers<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.0.headers().get_all(name);
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

async fn permit(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let body = signed_body(&request, payload, &desk).await?;
    let ask = PermitRequest::read(&body)?;
    let payer = Some(ask.payer());
    Ok(serve(desk, Operation::Permit, payer, move |desk, plan| desk.permit(&ask, plan)).await)
}

async fn pay(
    path: web::Path<String>,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let sealed = read(payload).await?;
    let permit = path.into_inner();
    let payer = desk.permit_payer(&permit);
    Ok(serve(desk, Operation::Pay, payer, move |desk, plan| desk.pay(&permit, &sealed, plan)).await)
}

async fn query(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let (payment, _, payer) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Operation::Query, payer, move |desk, _| desk.query(payment)).await)
}

async fn reverse(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let (payment, body, payer) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Operation::Reversal, payer, move |desk, plan| desk.reverse(payment, &body, plan)).await)
}

async fn refund(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    let (payment, body, payer) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Operation::Refund, payer, move |desk, _| desk.refund(payment, &body)).await)
}

async fn daily(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Problem> {
    signed_body(&request, payload, &desk).await?;
    let query: web::Query<DailyQuery> =
        web::Query::from_query(request.query_string()).map_err(|fault| Problem::invalid("date", fault))?;
    let date =
        query.into_inner().date.ok_or_else(|| Problem::invalid("date", "a date is such as 2030-01-31"))?;
    Ok(HttpResponse::Ok().json(desk.daily(&date)?))
}

async fn books(desk: Data<Desk>) -> HttpResponse {
    HttpResponse::Ok().json(desk.books())
}

async fn troubles(desk: Data<Desk>) -> HttpResponse {
    HttpResponse::Ok().json(desk.troubles())
}

async fn set_troubles(payload: web::Payload, desk: Data<Desk>) -> Result<HttpResponse, Problem> {
    let troubles: Troubles = decode(&read(payload).await?)?;
    Ok(HttpResponse::Ok().json(desk.set_troubles(troubles)?))
}

async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

async fn nowhere() -> Result<HttpResponse, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path"))
}

/// Pages on other origins may pay: the permit, not the origin, is what authorises.
fn pay_desk() -> actix_web::Resource<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::resource("/v1/permits/{permit}/pay")
        .wrap(actix_web::middleware::DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")))
        .route(web::post().to(pay))
        .route(web::method(Method::OPTIONS).to(preflight))
        .default_service(web::to(|| async { wrong_method("POST") }))
}

fn trouble_desk() -> actix_web::Resource {
    web::resource("/v1/trouble")
        .route(web::get().to(troubles))
        .route(web::put().to(set_troubles))
        .default_service(web::to(|| async { wrong_method("GET, PUT") }))
}

fn only(path: &str, method: Method, route: actix_web::Route) -> actix_web::Resource {
    let allow = if method == Method::GET { "GET" } else { "POST" };
    web::resource(path).route(route).default_service(web::to(move || async move { wrong_method(allow) }))
}

fn wrong_method(allow: &'static str) -> HttpResponse {
    let detail = format!("this path takes {allow}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail);
    let mut response = problem.error_response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allow));
    response
}

async fn about_payment(
    request: &HttpRequest,
    payload: web::Payload,
    desk: &Desk,
) -> Result<(PaymentId, Bytes, Option<PayerId>), Problem> {
    let body = signed_body(request, payload, desk).await?;
    let payment = PaymentId::parse(request.match_info().query("payment"));
    let payment = payment.map_err(|fault| Problem::invalid("payment", fault))?;
    Ok((payment, body, desk.payer(payment)))
}

async fn signed_body(request: &HttpRequest, payload: web::Payload, desk: &Desk) -> Result<Bytes, Problem> {
    let body = read(payload).await?;
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    desk.secret
        .check_request(desk.now(), &Headers(request), request.method().as_str(), path, &body)
        .map_err(|fault| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", fault))?;
    Ok(body)
}

async fn read(payload: web::Payload) -> Result<Bytes, Problem> {
    let body = tokio::time::timeout(BODY_WITHIN, payload.to_bytes_limited(BODY_BYTES_MAX)).await;
    let body = body
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took more than 10 s"))?;
    let body = body
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a body has at most 16 KiB"))?;
    body.map_err(|fault| Problem::new(StatusCode::BAD_REQUEST, "broken_body", fault))
}

/// Does the work and answers, with whatever trouble is planned. The work goes on when the caller hangs up: a platform
/// does not undo a debit because nobody waits for the answer.
async fn serve<W>(desk: Data<Desk>, operation: Operation, payer: Option<PayerId>, work: W) -> HttpResponse
where
    W: FnOnce(&Desk, &Plan) -> Result<Done, Problem> + 'static,
{
    let plan = desk.plan(operation, payer);
    let reply = actix_web::rt::spawn(carry_out(desk, plan, work)).await;
    match reply.unwrap_or(Reply::CutOff) {
        Reply::Answer(done) => answer(&done),
        Reply::No(problem) => problem.error_response(),
        Reply::Raw(status, body) => HttpResponse::build(status).content_type("application/json").body(body),
        Reply::Redirect => {
            HttpResponse::Found().insert_header((header::LOCATION, "http://192.0.2.1/")).finish()
        }
        Reply::CutOff => HttpResponse::Ok().streaming(stream::once(async { Err::<Bytes, _>(CutOff) })),
        Reply::Silence => {
            tokio::time::sleep(SILENCE).await;
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "silence", "this request was to stay unanswered")
                .error_response()
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cut off on purpose")]
struct CutOff;

async fn carry_out<W>(desk: Data<Desk>, plan: Plan, work: W) -> Reply
where
    W: FnOnce(&Desk, &Plan) -> Result<Done, Problem>,
{
    tokio::time::sleep(plan.latency).await;
    if plan.has(Trouble::Lost) {
        return Reply::Silence;
    }
    if plan.has(Trouble::Refuse) {
        return Reply::No(Problem::new(StatusCode::FORBIDDEN, "refused", "the platform refuses"));
    }
    let done = match work(&desk, &plan) {
        Ok(done) => done,
        Err(problem) => return Reply::No(problem),
    };
    if let Some(callback) = &done.callback {
        send(&desk, &plan, callback).await;
    }
    if plan.has(Trouble::LateAnswer) {
        tokio::time::sleep(desk.manner.late_by).await;
    }
    disguise(&plan, done)
}

async fn send(desk: &Desk, plan: &Plan, callback: &CallbackBody) {
    if plan.has(Trouble::NoCallback) {
        return;
    }
    let callback = if plan.has(Trouble::LyingCallback) { callback.lying() } else { callback.clone() };
    let late_by = if plan.has(Trouble::LateCallback) { desk.manner.late_by } else { Duration::ZERO };
    let copies = if plan.has(Trouble::DuplicateCallback) { 2 } else { 1 };
    let due = Due { at: desk.now().plus(late_by), copies };
    let first_try = desk.post.send(&callback, due, desk.now());
    if plan.has(Trouble::EarlyCallback) {
        first_try.made_within(Duration::from_secs(2)).await;
    }
}

fn disguise(plan: &Plan, done: Done) -> Reply {
    if plan.has(Trouble::Silent) {
        Reply::Silence
    } else if plan.has(Trouble::CutOff) {
        Reply::CutOff
    } else if plan.has(Trouble::Redirect) {
        Reply::Redirect
    } else if plan.has(Trouble::ServerError) {
        Reply::No(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "trouble", "this request was to fail"))
    } else if plan.has(Trouble::Garbage) {
        Reply::Raw(done.status, "{\"payment\":".to_owned())
    } else if plan.has(Trouble::Oversize) {
        Reply::Raw(done.status, " ".repeat(128 * 1024))
    } else if plan.has(Trouble::NotFound) {
        Reply::No(Problem::refused(None, BooksRefusal::NoSuchPayment))
    } else if plan.has(Trouble::StrayAnswer) {
        Reply::Answer(gone_astray(done))
    } else if plan.has(Trouble::LyingAnswer) {
        Reply::Answer(lie(done))
    } else {
        Reply::Answer(done)
    }
}

fn gone_astray(mut done: Done) -> Done {
    if let Some(body) = done.body.as_object_mut().filter(|body| body.contains_key("payment")) {
        body.insert("payment".to_owned(), Value::from("pay_00000000000000000000000000"));
    }
    done
}

fn lie(mut done: Done) -> Done {
    let text = |field| done.body.get(field).and_then(Value::as_str);
    let money =
        text("amount").zip(text("currency")).and_then(|(amount, code)| Money::parse(amount, code).ok());
    if let (Some(money), Some(body)) = (money, done.body.as_object_mut()) {
        body.insert("amount".to_owned(), Value::from(another(money).decimal()));
    }
    done
}

fn answer(done: &Done) -> HttpResponse {
    let is_problem = done.status.is_client_error();
    let media_type = if is_problem { "application/problem+json" } else { "application/json" };
    HttpResponse::build(done.status).content_type(media_type).body(done.body.to_string())
}
