//! The OpenAPI documents: whole, served, and browsable without a network.
use crate::visitors::{Till, admin_door, phones_door, terminals_door};
use crate::world::house;
use actix_web::test::TestRequest;
use serde_json::Value;

#[actix_web::test]
async fn each_listener_serves_its_own_document_and_the_page_to_browse_it() {
    let house = house();
    for (door, operation) in [
        (phones_door(&house).await, "/v1/payments/{id}/confirmation"),
        (terminals_door(&house).await, "/v1/callbacks/{platform}"),
        (admin_door(&house).await, "/v1/payments/{id}/trace"),
    ] {
        let document = door(TestRequest::get().uri("/openapi.json")).await.expect(200);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(document["paths"].get(operation).is_some());
        let page = door(TestRequest::get().uri("/docs/")).await;
        assert_eq!(page.header("content-type").map(|is| is.starts_with("text/html")), Some(true));
        assert_eq!(door(TestRequest::get().uri("/docs")).await.status, 301);
        let script = door(TestRequest::get().uri("/docs/swagger-initializer.js")).await;
        assert!(String::from_utf8(script.bytes).unwrap().contains("/openapi.json"));
    }
}

#[test]
fn every_operation_says_what_it_answers_when_the_switch_cannot() {
    for document in
        [switch::api::phones_document(), switch::api::terminals_document(), switch::api::admin_document()]
    {
        let document: Value = serde_json::from_str(&document.to_json().unwrap()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for status in ["500", "503"] {
                    let content = &operation["responses"][status]["content"];
                    assert!(content.get("application/problem+json").is_some(), "{method} {path} {status}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn what_is_documented_is_served() {
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let document: Value =
        serde_json::from_str(&switch::api::terminals_document().to_json().unwrap()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let request = till.request(TestRequest::patch(), &path.replace(['{', '}'], "x"));
        assert_eq!((till.door)(request).await.status, 405, "{path}");
    }
}
