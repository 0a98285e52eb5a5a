//! A house on real sockets for judges from outside: `schemathesis` and `openapi-spec-validator`.
//!
//! Ignored unless asked for, because the judges are Python programs: `switch/tests/judges/judge.py` says how to
//! get them. The judges are shown something bad first, and have to say so.
use crate::world::{house_with, settings};
use actix_web::{App, HttpServer};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use switch::api::Settings;

#[actix_web::test]
#[ignore = "needs Python's schemathesis and openapi-spec-validator: see switch/tests/judges/judge.py"]
async fn the_judges_find_no_server_error_and_no_undocumented_status() {
    let house = house_with(Settings { wait_max: Duration::from_secs(1), ..settings() });
    let (phones, terminals, admin) =
        (Arc::clone(&house.doors), Arc::clone(&house.doors), Arc::clone(&house.doors));
    let ports = [18_080, 18_081, 19_090];
    let serve = |port: u16| ("127.0.0.1", port);
    let servers = [
        HttpServer::new(move || App::new().configure(switch::api::phones(&phones)))
            .workers(1)
            .bind(serve(ports[0]))
            .unwrap()
            .run(),
        HttpServer::new(move || App::new().configure(switch::api::terminals(&terminals)))
            .workers(1)
            .bind(serve(ports[1]))
            .unwrap()
            .run(),
        HttpServer::new(move || App::new().configure(switch::api::admin(&admin)))
            .workers(1)
            .bind(serve(ports[2]))
            .unwrap()
            .run(),
    ];
    let handles: Vec<_> = servers.iter().map(actix_web::dev::Server::handle).collect();
    for server in servers {
        actix_web::rt::spawn(server);
    }
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/judge.py");
    let python = std::env::var("JUDGES_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let judged = actix_web::web::block(move || {
        let mut command = Command::new(python);
        command.arg(judge).args(["--terminal", "T1:key-1", "--subscriber", "15550000009"]);
        for (door, port) in ["--phones", "--terminals", "--admin"].into_iter().zip(ports) {
            command.args([door, &format!("http://127.0.0.1:{port}")]);
        }
        command.status().unwrap()
    });
    assert!(judged.await.unwrap().success());
    for handle in handles {
        handle.stop(false).await;
    }
}
