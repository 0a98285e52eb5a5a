//! The pages, embedded in the binary: files and their headers, nothing of what they show.
//!
//! Scripts and styles come from here only, nothing is inline, and nobody may frame a page. A browser asks again each
//! time and is answered 304 while its copy is good. The files are in `src/pages/assets`.
use super::doorman::{Table, get, head};
use super::extract::doors_of;
use super::problem::Problem;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{Embed, EmbeddedFile};
use std::fmt::Write;

#[derive(Embed)]
#[folder = "src/pages/assets/"]
struct Assets;

/// Serves `index` at `/`, and every file at `/assets/`.
pub fn serve(table: &mut Table<'_>, index: &'static str) {
    let page = move |request: HttpRequest| async move { file(&request, index) };
    let asset = |request: HttpRequest| async move {
        file(&request, request.match_info().get("file").unwrap_or_default())
    };
    table.serve("/", "page", [get(web::to(page)), head(web::to(page))]).serve(
        "/assets/{file}",
        "assets",
        [get(web::to(asset)), head(web::to(asset))],
    );
}

fn file(request: &HttpRequest, name: &str) -> Result<HttpResponse, Problem> {
    let media_type = media_type(name).ok_or_else(Problem::no_such_address)?;
    let file = Assets::get(name).ok_or_else(Problem::no_such_address)?;
    let tag = etag(&file);
    let policy = policy(&doors_of(request)?.settings.pages_connect);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .insert_header((
            header::PERMISSIONS_POLICY,
            "camera=(self), geolocation=(), microphone=(), payment=()",
        ));
    Ok(if is_known {
        response.finish()
    } else {
        response.content_type(media_type).body(file.data.into_owned())
    })
}

/// What a page may do: use what is served here, and speak to the platforms that the operator named.
fn policy(connect: &[String]) -> String {
    let elsewhere = connect.iter().fold(String::new(), |all, source| all + " " + source);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         manifest-src 'self'; connect-src 'self'{elsewhere}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex = hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        if write!(hex, "{byte:02x}").is_err() {
            hex.clear();
        }
        hex
    });
    format!("\"{hex}\"")
}

fn media_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
