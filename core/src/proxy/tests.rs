//! Proxies over real sockets, to servers on this machine; the tests are the name server.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{
    Proxy, Report, Room,
    connect::{LookUp, Way},
    hosts::Hosts,
    serve_by,
    service::Client,
};

const PATIENCE: Duration = Duration::from_secs(15);

struct Test {
    address: SocketAddr,
    proxy: Option<Proxy>,
    told: mpsc::Receiver<Report>,
}

/// Every name is this machine.
fn here(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![(Ipv4Addr::LOCALHOST, port).into()])
}

fn proxy(hosts: &[&str], look_up: LookUp) -> Test {
    sharing(&Room::of(1024), hosts, look_up)
}

/// Of a plugin whose permissions `astros.yaml` lists.
fn listed(hosts: &[&str], look_up: LookUp) -> Test {
    serving(&Room::of(1024), hosts, look_up, true)
}

/// One of several in the same room.
fn sharing(room: &Room, hosts: &[&str], look_up: LookUp) -> Test {
    serving(room, hosts, look_up, false)
}

fn serving(room: &Room, hosts: &[&str], look_up: LookUp, is_listed: bool) -> Test {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let (tell, told) = mpsc::channel();
    let way = Way::new(Hosts::parse(&hosts), look_up);
    let tell = Box::new(move |report| drop(tell.send(report)));
    let client = Client { plugin: "weather".to_owned(), is_listed, way, tell };
    let proxy = serve_by(client, room.clone(), listener).unwrap();
    Test { address, proxy: Some(proxy), told }
}

impl Test {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request, and gives what came until the end.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    fn told(&self) -> Report {
        self.told.recv_timeout(PATIENCE).unwrap()
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("an end in time").unwrap();
    text
}

/// Reads until all of `end` has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("more in time");
        text.push(byte.unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&text))));
    }
    String::from_utf8(text).unwrap()
}

async fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accept(server: &TcpListener) -> TcpStream {
    timeout(PATIENCE, server.accept()).await.expect("a connection in time").unwrap().0
}

#[tokio::test]
async fn passes_a_request_on_to_the_host_of_its_url_without_what_was_meant_for_the_proxy() {
    let (server, port) = server().await;
    let test = proxy(&["api.example", "localhost"], here);
    let request = format!(
        "GET http://API.example.:{port}/a%20b?c=d HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: x\r\n\
         Connection: close, X-Mine\r\nX-Mine: 1\r\nX-Kept: 2\r\nTE: trailers\r\n\r\n"
    );
    let served = async {
        let mut stream = accept(&server).await;
        let head = until(&mut stream, "\r\n\r\n").await;
        let answer = "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nKeep-Alive: 5\r\n\
                      Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    };
    let (head, answer) = tokio::join!(served, test.ask(&request));
    assert!(head.starts_with("GET /a%20b?c=d HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    assert!(
        head.contains(&format!("\r\nhost: api.example:{port}\r\n")) && head.contains("x-kept: 2"),
        "{head}"
    );
    for gone in ["proxy-", "x-mine", "te:", "evil"] {
        assert!(!head.contains(gone), "{head}");
    }
    // Told, and not followed.
    assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
    assert!(
        answer.contains("http://evil.example/") && !answer.to_lowercase().contains("keep-alive:"),
        "{answer}"
    );
    assert!(answer.contains("\r\n2\r\nhi\r\n"), "{answer}");
    assert_eq!(test.told(), Report::Allowed);
    assert!(matches!(test.told(), Report::Moved { sent, received } if sent > 150 && received > 50));
}

#[tokio::test]
async fn streams_both_ways_and_serves_one_request_after_the_other() {
    let (server, port) = server().await;
    let test = proxy(&[&format!("127.0.0.1:{port}")], here);
    let mut client = test.connect().await;
    for _ in 0..2 {
        let head = format!("POST http://127.0.0.1:{port} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.write_all((head + "5\r\nfirst\r\n").as_bytes()).await.unwrap();
        let mut stream = accept(&server).await;
        let head = until(&mut stream, "5\r\nfirst\r\n").await;
        assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none").await.unwrap();
        until(&mut client, "one").await;
        client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
        until(&mut stream, "6\r\nsecond\r\n0\r\n\r\n").await;
        stream.write_all(b"two").await.unwrap();
        until(&mut client, "two").await;
    }
}

#[tokio::test]
async fn tunnels_to_a_host_and_keeps_each_sides_end() {
    let (server, port) = server().await;
    let test = proxy(&["localhost"], here);
    let mut client = test.connect().await;
    // What comes with the request already belongs to the host.
    client.write_all(format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\nhello").as_bytes()).await.unwrap();
    let mut stream = accept(&server).await;
    let answer = until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, "hello");
    stream.write_all(b"still there").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, "still there");
}

#[tokio::test]
async fn refuses_what_is_not_granted_and_says_what_would_allow_it() {
    let test = proxy(&["api.example:443"], |name, _| panic!("{name} was looked up"));
    let answer = test.ask("CONNECT other.example:443 HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let hint = "`astros plugins grant weather 'network: other.example:443'` allows it";
    assert_eq!(body, format!("`weather` may not reach `other.example:443`\n{hint}\n"));
    assert!(
        head.starts_with(&format!("HTTP/1.1 403 `weather` may not reach `other.example:443`; {hint}\r\n"))
    );
    let denied = |target: &str| Report::Denied { target: target.into() };
    assert_eq!(test.told(), denied("other.example:443"));
    let answer = test.ask("GET http://api.example/ HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains("`weather` may not reach `api.example:80`"), "{answer}");
    assert!(matches!(test.told(), Report::Moved { .. }));
    assert_eq!(test.told(), denied("api.example:80"));

    let test = listed(&["api.example:443"], |name, _| panic!("{name} was looked up"));
    let answer = test.ask("CONNECT other.example:443 HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let hint =
        "\n`network: [\"other.example:443\"]` in `plugins.weather.permissions` of `astros.yaml` allows it\n";
    assert!(answer.ends_with(hint), "{answer}");
}

#[tokio::test]
async fn knows_the_same_host_in_every_spelling() {
    let (server, port) = server().await;
    let test = proxy(&["good.example", "*.good.example"], here);
    let hosts = [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::1%25lo]",
        "localhost",
        "LOCALHOST.",
        "good.example@127.0.0.1",
        "good.example:80@127.0.0.1",
        "good.example%00.evil.example",
        "127.0.0.1%23.good.example",
        "127.0.0.1#.good.example",
        "127.0.0.1\\.good.example",
        "127.0.0.1/.good.example",
        "127.0.0.1?.good.example",
        "evilgood.example",
        "good.example.evil.example",
        "good.example..",
        "\u{ff11}27.0.0.1",
        "good\u{3002}example",
        // The name is granted, its address is not.
        "good.example",
        "a.good.example",
        "GOOD.example.",
    ];
    for host in hosts {
        for request in [
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n"),
            format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n"),
            format!("GET http://{host} HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n"),
        ] {
            let answer = test.ask(&request).await;
            let refused = answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400");
            assert!(refused, "{request}{answer}");
        }
    }
    for line in [
        "GET / HTTP/1.1",
        "GET https://good.example/ HTTP/1.1",
        "GET ftp://good.example/ HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT good.example HTTP/1.1",
        "CONNECT http://good.example:80/ HTTP/1.1",
        "CONNECT good.example:0 HTTP/1.1",
        "GET //good.example/ HTTP/1.1",
        "GET http:good.example/ HTTP/1.1",
        "GET http:///good.example/ HTTP/1.1",
    ] {
        let answer = test.ask(&format!("{line}\r\nHost: good.example\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 403"), "{line}: {answer}");
    }
    // Nobody got there.
    assert!(timeout(Duration::ZERO, server.accept()).await.is_err());
}

#[tokio::test]
async fn believes_a_name_server_once_and_none_that_names_an_address_nearby() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let (server, port) = server().await;
    // At first what is granted, then what is not: whoever asked twice would get there.
    let turns: LookUp = |_, port| {
        let last = if ASKED.fetch_add(1, Ordering::Relaxed) == 0 { 1 } else { 2 };
        Ok(vec![(Ipv4Addr::new(127, 0, 0, last), port).into()])
    };
    let test = proxy(&["evil.example", "127.0.0.1"], turns);
    let request = format!("CONNECT evil.example:{port} HTTP/1.1\r\nConnection: close\r\n\r\n");
    let mut client = test.connect().await;
    client.write_all(request.as_bytes()).await.unwrap();
    assert!(until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    drop(accept(&server).await);
    let answer = test.ask(&request).await;
    let near =
        format!("`weather` may not reach `127.0.0.2:{port}`, an address of `evil.example` near this machine");
    assert!(answer.contains(&near), "{answer}");
    assert!(answer.contains(&format!("'network: 127.0.0.2:{port}'")), "{answer}");

    // Among others, and with a port of its own choice.
    let mixed: LookUp =
        |_, _| Ok(vec!["93.184.216.34:80".parse().unwrap(), "[::ffff:10.0.0.1]:9".parse().unwrap()]);
    let answer = proxy(&["evil.example"], mixed).ask(&request).await;
    assert!(answer.contains(&format!("may not reach `10.0.0.1:{port}`")), "{answer}");
}

#[tokio::test]
async fn says_why_a_granted_host_does_not_answer() {
    let (server, port) = server().await;
    drop(server);
    let test = proxy(&["localhost"], here);
    let answer = test.ask(&format!("GET http://localhost:{port}/ HTTP/1.0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.0 502") && answer.contains("refused"), "{answer}");
    let unknown: LookUp = |_, _| Err(io::Error::other("nobody knows it"));
    let answer = proxy(&["a.example"], unknown).ask("GET http://a.example/ HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains("`a.example:80` cannot be reached: nobody knows it"), "{answer}");
}

#[tokio::test]
async fn holds_no_endless_head() {
    let test = proxy(&["localhost"], here);
    let mut client = test.connect().await;
    client.write_all(b"GET http://localhost/ HTTP/1.1\r\nX: ").await.unwrap();
    client.write_all(&[b'x'; 64 << 10]).await.unwrap();
    let mut answer = Vec::new();
    // What it had not read is why it may break off.
    let _ = timeout(PATIENCE, client.read_to_end(&mut answer)).await.expect("an end in time");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
}

#[tokio::test]
async fn ends_with_all_connections_when_it_is_dropped() {
    let (server, port) = server().await;
    let mut test = proxy(&["localhost"], here);
    let mut client = test.connect().await;
    client.write_all(format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let mut stream = accept(&server).await;
    until(&mut client, "\r\n\r\n").await;
    drop(test.proxy.take());
    assert_eq!(rest(&mut stream).await, "");
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("an end in time");
    assert!(TcpStream::connect(test.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn takes_a_connection_for_idle_when_nothing_moved_for_a_while() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let meter = super::idle::Meter::new();
    let mut stream = super::idle::Metered { stream: ours, meter: meter.clone() };
    let moving = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(7)).await;
            stream.write_all(b"x").await.unwrap();
            theirs.write_all(b"yz").await.unwrap();
            stream.read_u16().await.unwrap();
        }
    };
    let begun = tokio::time::Instant::now();
    tokio::join!(moving, meter.idle(Duration::from_secs(10)));
    assert_eq!(begun.elapsed(), Duration::from_secs(31));
    assert_eq!((meter.moved().written, meter.moved().read), (3, 6));
}

#[tokio::test]
async fn leaves_the_others_room_however_many_connections_one_plugin_holds() {
    let room = Room::of(64);
    let [greedy, other] = [(); 2].map(|()| sharing(&room, &["nowhere.example"], here));
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut stream = greedy.connect().await;
        stream.write_all(b"G").await.unwrap();
        held.push(stream);
    }
    // Those of its share are taken: it has none left for itself.
    let mut one_more = greedy.connect().await;
    one_more.write_all(b"GET http://else.example/ HTTP/1.1\r\n\r\n").await.unwrap();
    let refused = "GET http://else.example/ HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert!(other.ask(refused).await.starts_with("HTTP/1.1 403 "));
    assert!(timeout(Duration::from_millis(50), one_more.read_u8()).await.is_err());
}

#[tokio::test]
#[ignore = "takes as long as the real limit: ten seconds"]
async fn sends_who_says_its_request_too_slowly_away() {
    let test = proxy(&["localhost"], here);
    let mut stream = test.connect().await;
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        while writer.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut rest = Vec::new();
    tokio::select! {
        () = trickle => {}
        ended = timeout(Duration::from_secs(12), reader.read_to_end(&mut rest)) => {
            ended.expect("an end in time").unwrap();
        }
    }
}
