//! One OpenAPI 3.1 document per listener, made from the code, and the page to browse it.
//!
//! A handler documents what is its own; what can happen to any request (a body that is too large, a node that drains)
//! is added here to every operation that it can happen to, so that no status is undocumented.
use super::doorman::{Table, get};
use super::problem::{MEDIA_TYPE, Problem, ProblemBody};
use super::{admin, callbacks, lines, phones, terminals};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use std::sync::Arc;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{IntoParams, OpenApi};
use utoipa_swagger_ui::Config;

/// Swagger UI styles itself inline; its scripts are files.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The payment in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code)]
pub struct PaymentParam {
    /// The payment.
    #[param(pattern = "^pay_[0-9a-hjkmnp-tv-z]{26}$")]
    id: String,
}

/// The platform in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code)]
pub struct PlatformParam {
    /// The platform, as the configuration names it.
    #[param(pattern = "^[A-Za-z0-9_.:+-]{1,31}$")]
    platform: String,
}

/// How long the client would rather wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct PreferParam {
    /// `wait=N` (RFC 7240): hold the answer back for up to N seconds, at most 60, until there is something to tell.
    #[param(rename = "Prefer", nullable = false, example = "wait=10")]
    prefer: Option<String>,
}

/// What makes a repeat a repeat.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct KeyParam {
    /// The terminal's own key for what it asks: 1 to 64 printable characters, quoted or bare.
    #[param(rename = "Idempotency-Key", pattern = "^[!#-~]{1,64}$", example = "sale-1")]
    key: String,
}

/// What names a refund.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct RefundKeyParam {
    /// The terminal's own name for the refund.
    #[param(rename = "Idempotency-Key", pattern = "^[A-Za-z0-9_.:+-]{1,31}$", example = "refund-1")]
    key: String,
}

/// The phones' document.
pub fn phones_document() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        info(title = "Turnout for phones", description = "Log in, stand at a terminal, confirm, pay."),
        paths(
            phones::send_code,
            phones::log_in,
            phones::bind,
            phones::look_at_binding,
            phones::leave,
            phones::list_payments,
            phones::list_history,
            phones::look_at_own_payment,
            phones::follow_events,
            phones::confirm_payment,
            phones::decline_payment,
            phones::present_credential,
        ),
        components(schemas(ProblemBody))
    )]
    struct Phones;
    finished(Phones::openapi(), "phone", HttpAuthScheme::Bearer, "The token of `/v1/login`")
}

/// The terminals' document.
pub fn terminals_document() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        info(
            title = "Turnout for terminals and partners",
            description = "Ask for money, take it back, give it back."
        ),
        paths(
            terminals::place_payment,
            terminals::look_at_payment,
            terminals::reverse_payment,
            terminals::reverse_by_key,
            terminals::refund_payment,
            terminals::look_at_terminal,
            terminals::clear_terminal,
            callbacks::take_callback,
        ),
        components(schemas(ProblemBody))
    )]
    struct Terminals;
    finished(Terminals::openapi(), "terminal", HttpAuthScheme::Basic, "The terminal's id and its key")
}

/// The admin document.
pub fn admin_document() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        info(title = "Turnout for operators", description = "What the switch is doing."),
        paths(
            admin::live,
            admin::is_ready,
            admin::metrics,
            admin::overview,
            admin::follow_overview,
            admin::search,
            admin::trace_payment,
            admin::outbox,
            lines::list_lines,
            lines::list_terminals,
        ),
        components(schemas(ProblemBody))
    )]
    struct Admin;
    finished(Admin::openapi(), "operator", HttpAuthScheme::Bearer, "The configured token, if one is")
}

/// Serves a document and the page to browse it.
pub fn serve(table: &mut Table<'_>, document: utoipa::openapi::OpenApi) {
    let json = Bytes::from(document.to_json().unwrap_or_default());
    let document = web::to(move || {
        let json = json.clone();
        async move { HttpResponse::Ok().content_type("application/json").body(json) }
    });
    let config = Arc::new(Config::from("/openapi.json"));
    let docs = web::to(move |file: web::Path<String>| {
        let page = docs_file(&file, &config);
        async move { page }
    });
    let entrance = web::to(|| async {
        HttpResponse::MovedPermanently().insert_header((header::LOCATION, "/docs/")).finish()
    });
    table.serve("/openapi.json", "openapi", [get(document)]).serve("/docs", "docs", [get(entrance)]).serve(
        "/docs/{file:.*}",
        "docs_files",
        [get(docs)],
    );
}

fn docs_file(file: &str, config: &Arc<Config<'static>>) -> Result<HttpResponse, Problem> {
    let served = utoipa_swagger_ui::serve(file, Arc::clone(config)).map_err(|_| Problem::crashed())?;
    let served = served.ok_or_else(Problem::no_such_address)?;
    let mut response = HttpResponse::Ok();
    response.content_type(served.content_type).insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY));
    if served.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(served.bytes.into_owned()))
}

/// Adds how one says who one is, and to every operation what can happen to it.
fn finished(
    mut document: utoipa::openapi::OpenApi,
    scheme: &str,
    how: HttpAuthScheme,
    description: &str,
) -> utoipa::openapi::OpenApi {
    let http = HttpBuilder::new().scheme(how).description(Some(description)).build();
    document.components.get_or_insert_default().add_security_scheme(scheme, SecurityScheme::Http(http));
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            add_problems(path, operation);
        }
    }
    document
}

fn add_problems(path: &str, operation: &mut Operation) {
    let has_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let has_body = operation.request_body.is_some();
    let is_guarded = operation.security.is_some();
    let is_asking = path.starts_with("/v1/");
    for (applies, status, description) in [
        (has_parameters || has_body, "400", "A field, a header or the query string is not as it has to be"),
        (is_guarded, "401", "Who is asking is not known"),
        (is_guarded, "403", "Whoever is asking may not"),
        (path.contains('{'), "404", "There is no such thing, or not for the one who asks"),
        (has_body, "408", "The body took too long to arrive"),
        (has_body, "413", "The body is too large"),
        (has_body, "415", "The body has another media type"),
        (is_asking, "429", "The same was asked too often: ask less often, or wait with Prefer: wait"),
        (true, "500", "A bug of the switch: repeat with the same key to learn what became of it"),
        (true, "503", "Too much is under way, or this node is not to be asked now"),
        (is_asking, "504", "No answer in time: repeat with the same key to learn what became of it"),
    ] {
        if applies && !operation.responses.responses.contains_key(status) {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let response =
                ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build();
            operation.responses.responses.insert(status.to_owned(), response.into());
        }
    }
}
