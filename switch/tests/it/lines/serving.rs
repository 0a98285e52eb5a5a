//! A line of a real `turnout serve`: opened by its configuration, shown to operators, and closed in order.
use crate::house::{Log, Ports, Site, heard, hex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[actix_rt::test]
async fn a_house_opens_the_lines_of_its_configuration_and_closes_them_in_order() {
    let site = Site::small();
    let port = Ports::free().admin;
    let line = format!(
        "[[lines]]\nname = \"shops\"\nlisten = \"127.0.0.1:{port}\"\nframing = \"ascii4\"\ndialect = \"iso87-ascii\"\n"
    );
    site.reconfigure("[login]", &format!("{line}[login]"));
    let mut child = site.opened(Log::Nowhere).await;
    let mut terminal = connected(port).await;
    terminal.write_all(b"0000").await.unwrap();
    let mut alive = [0; 4];
    terminal.read_exact(&mut alive).await.unwrap();
    assert_eq!(&alive, b"0000", "{}", hex(&alive));

    let ask = b"GET /v1/lines HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let shown = heard(site.ports.admin, ask, Duration::from_secs(5)).await;
    assert!(shown.text.contains("\"name\":\"shops\""), "{}", shown.text);
    assert!(shown.text.contains("\"connections\":1,"), "{}", shown.text);

    let process = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let mut rest = Vec::new();
    terminal.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "hung up on, in order");
    drop(terminal);
    assert!(child.wait().await.unwrap().success());
}

#[actix_rt::test]
async fn a_line_whose_port_is_taken_is_named() {
    let site = Site::small();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!(
        "[[lines]]\nname = \"shops\"\nlisten = \"{}\"\ndialect = \"iso87-ascii\"\n",
        taken.local_addr().unwrap()
    );
    site.reconfigure("[login]", &format!("{line}[login]"));
    let said = site.refusal().await;
    assert!(said.contains("lines: shops.listen") && said.contains("choose another port"), "{said}");
}

/// The phones' door opens before the lines do.
async fn connected(port: u16) -> TcpStream {
    let connecting = async {
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
                break stream;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), connecting).await.unwrap()
}
