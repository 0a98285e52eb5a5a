//! The sandbox over HTTP: who may ask what, and the trouble that is carried out on the way.
//!
//! The `App`'s pieces come from `switch_door` and `payer_door`, so that a simulation can serve them too. The switch
//! signs its requests; a phone's payment is authorised by its permit; books and trouble are open to whoever reaches
//! the switch's door, which is why a sandbox belongs on a private address.
use super::desk::{Desk, Done, PermitRequest, decode};
use super::problem::Problem;
use super::trouble::Troubles;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use actors::domain::identity::PaymentId;
use actors::ports::platform::HeaderLookup;
use adapters::players::sandbox::serving::{Question, Reply, SILENCE, carry_out, silenced};
use futures_util::stream;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);

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

/// A problem, as this server answers it.
#[derive(Debug)]
struct Refused(Problem);

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
) -> Result<HttpResponse, Refused> {
    let body = signed_body(&request, payload, &desk).await?;
    Ok(serve(desk, Question::Permit(PermitRequest::read(&body)?)).await)
}

async fn pay(
    path: web::Path<String>,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Refused> {
    let sealed = read(payload).await?;
    Ok(serve(desk, Question::Pay { permit: path.into_inner(), sealed }).await)
}

async fn query(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Refused> {
    let (payment, _) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Question::Query(payment)).await)
}

async fn reverse(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Refused> {
    let (payment, body) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Question::Reverse(payment, body)).await)
}

async fn refund(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Refused> {
    let (payment, body) = about_payment(&request, payload, &desk).await?;
    Ok(serve(desk, Question::Refund(payment, body)).await)
}

async fn daily(
    request: HttpRequest,
    payload: web::Payload,
    desk: Data<Desk>,
) -> Result<HttpResponse, Refused> {
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

async fn set_troubles(payload: web::Payload, desk: Data<Desk>) -> Result<HttpResponse, Refused> {
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

async fn nowhere() -> Result<HttpResponse, Refused> {
    Err(Refused(Problem::new(hyper::StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path")))
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
    let problem = Problem::new(hyper::StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail);
    let mut response = Refused(problem).error_response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allow));
    response
}

async fn about_payment(
    request: &HttpRequest,
    payload: web::Payload,
    desk: &Desk,
) -> Result<(PaymentId, Bytes), Problem> {
    let body = signed_body(request, payload, desk).await?;
    let payment = PaymentId::parse(request.match_info().query("payment"));
    Ok((payment.map_err(|fault| Problem::invalid("payment", fault))?, body))
}

async fn signed_body(request: &HttpRequest, payload: web::Payload, desk: &Desk) -> Result<Bytes, Problem> {
    let body = read(payload).await?;
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    desk.check_request(&Headers(request), request.method().as_str(), path, &body)?;
    Ok(body)
}

async fn read(payload: web::Payload) -> Result<Bytes, Problem> {
    let body = tokio::time::timeout(BODY_WITHIN, payload.to_bytes_limited(BODY_BYTES_MAX)).await;
    let body = body.map_err(|_| {
        Problem::new(hyper::StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took more than 10 s")
    })?;
    let body = body.map_err(|_| {
        Problem::new(hyper::StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a body has at most 16 KiB")
    })?;
    body.map_err(|fault| Problem::new(hyper::StatusCode::BAD_REQUEST, "broken_body", fault))
}

/// Answers with whatever trouble is planned. The work goes on when the caller hangs up: a task does it.
async fn serve(desk: Data<Desk>, question: Question) -> HttpResponse {
    let plan = question.plan(&desk);
    let carrying = actix_web::rt::spawn(async move { carry_out(&desk, question, plan).await });
    match carrying.await.unwrap_or(Reply::CutOff) {
        Reply::Answer(done) => answer(&done),
        Reply::No(problem) => Refused(problem).error_response(),
        Reply::Raw(status, body) => {
            HttpResponse::build(in_actix(status)).content_type("application/json").body(body)
        }
        Reply::Redirect => {
            HttpResponse::Found().insert_header((header::LOCATION, "http://192.0.2.1/")).finish()
        }
        Reply::CutOff => HttpResponse::Ok().streaming(stream::once(async { Err::<Bytes, _>(CutOff) })),
        Reply::Silence => {
            tokio::time::sleep(SILENCE).await;
            Refused(silenced()).error_response()
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cut off on purpose")]
struct CutOff;

fn answer(done: &Done) -> HttpResponse {
    let is_problem = done.status.is_client_error();
    let media_type = if is_problem { "application/problem+json" } else { "application/json" };
    HttpResponse::build(in_actix(done.status)).content_type(media_type).body(done.body.to_string())
}

/// The same status in the other release of the `http` crate.
fn in_actix(status: hyper::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        in_actix(self.0.status())
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).content_type("application/problem+json").body(self.0.page())
    }
}
