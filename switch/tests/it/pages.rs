//! The pages: whatever is embedded is served with its type, its policy and its tag.
use crate::visitors::phones_door;
use crate::world::house;
use actix_web::test::TestRequest;
use std::path::Path;

#[actix_web::test]
async fn every_embedded_file_is_served_and_known_again() {
    let house = house();
    let door = phones_door(&house).await;
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages/assets");
    let names =
        std::fs::read_dir(assets).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter(|name| !name.starts_with('.')) {
        let uri = format!("/assets/{name}");
        let served = door(TestRequest::get().uri(&uri)).await;
        assert_eq!(served.status, 200, "{name}");
        let policy = served.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let tag = served.header("etag").unwrap().to_owned();
        let again = door(TestRequest::get().uri(&uri).insert_header(("if-none-match", tag))).await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    }
}

#[actix_web::test]
async fn the_phones_listener_opens_with_the_phone_page() {
    let house = house();
    let door = phones_door(&house).await;
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages/assets/phone.html").exists();
    let opened = door(TestRequest::get().uri("/")).await;
    assert_eq!(opened.status, if embedded { 200 } else { 404 });
}
