//! Hosts that stall, break off, send garbage or send without end: the gate stays up and small, others go on, and the agent is told.

use crate::{
    agent::{Tls, dial, echo, look_up, shake},
    api::{self, BODY, PORT, UPSTREAM},
    internet::API,
    world::World,
};
use hickory_proto::rr::RecordType;
use hydra_core::egress::gate::GateLine;
use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

/// A host of its own, besides the API.
const HOST: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 70);
const NAME: &str = "host.files.example.org";

/// What a host does with a connection.
pub(crate) type Does = fn(TcpStream) -> io::Result<()>;

/// The most memory that the gate ever had, in KiB.
pub(crate) fn peak(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.gate.as_ref().unwrap().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Something at an address and a port out there: each connection is given to it in a thread of its own.
fn host(world: &World, at: (Ipv4Addr, u16), does: Does) {
    let listener = world.internet.there(move || TcpListener::bind(at).unwrap());
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || does(stream));
        }
    });
}

/// A world in which an allowed name is this host's.
fn world(does: Does) -> World {
    let world = World::with(|limits| limits.connections = 6);
    world.internet.address(HOST);
    world.internet.moves(NAME, HOST);
    host(&world, (HOST, 443), does);
    world
}

/// Closing it is a reset.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

pub(crate) fn takes_a_little(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0; 4096]).map(drop)
}

/// How the agent's handshake with it ends, while another connection goes on.
fn meets(world: &World) -> io::Result<Tls> {
    let mut open = world.reach("api.example.org").unwrap();
    let met = world.reach(NAME);
    echo(&mut open, "still there").unwrap();
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    met
}

#[test]
#[ignore = "needs namespaces"]
fn a_host_that_breaks_off_or_sends_garbage_is_the_agents_own_error() {
    for does in [
        |_: TcpStream| Ok(()),
        |mut stream: TcpStream| takes_a_little(&mut stream),
        |mut stream: TcpStream| {
            takes_a_little(&mut stream)?;
            reset(&stream);
            Ok(())
        },
        |mut stream: TcpStream| {
            takes_a_little(&mut stream)?;
            stream.write_all(&[0x5a; 100_000])
        },
        // A record of a handshake that promises more than comes.
        |mut stream: TcpStream| stream.write_all(&[22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff]),
    ] {
        let mut world = world(does);
        let begun = Instant::now();
        let error = meets(&world).map(drop).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5), "{error}");
        let GateLine::Report { reached, denied, .. } = world.report() else { panic!() };
        assert_eq!(denied, [], "nothing was refused");
        let files = reached.iter().find(|host| host.host == "*.files.example.org").unwrap();
        assert!(files.connections == 1 && files.up > 200, "{files:?}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_host_that_is_not_there_is_an_internal_error_and_no_refusal() {
    let mut world = World::new();
    world.internet.address(HOST);
    world.internet.moves(NAME, HOST);
    let error = meets(&world).map(drop).unwrap_err().to_string();
    assert!(error.contains("InternalError"), "{error}");
    let GateLine::Report { denied, .. } = world.report() else { panic!() };
    assert_eq!(denied, []);
}

#[test]
#[ignore = "needs namespaces"]
fn a_host_that_stalls_keeps_its_own_connection_alone() {
    let stalls: [Does; 1] = [|mut stream| {
        // Until the agent has given up, as far as the gate tells it.
        while takes_a_little(&mut stream).is_ok() && stream.peek(&mut [0])? > 0 {}
        Ok(())
    }];
    for does in stalls {
        let world = world(does);
        for _ in 0..10 {
            // More often than there are connections: whoever gives up frees its place.
            let gave_up = world.agent(|| {
                let (_, at) = look_up(NAME, RecordType::A);
                let stream = dial((at.unwrap(), 443)).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                shake(stream, NAME).map(drop).unwrap_err().kind()
            });
            assert_eq!(gave_up, io::ErrorKind::WouldBlock);
            echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
        }
    }
}

#[test]
#[ignore = "needs namespaces"]
fn what_nobody_takes_is_not_kept() {
    let world = world(|mut stream| {
        takes_a_little(&mut stream)?;
        loop {
            stream.write_all(&[0x17; 64 * 1024])?;
        }
    });
    let before = peak(&world);
    let taken = world.agent(|| {
        let (_, at) = look_up(NAME, RecordType::A);
        let mut streams: Vec<_> = (0..4).map(|_| dial((at.unwrap(), 443)).unwrap()).collect();
        for stream in &mut streams {
            stream.write_all(&api_hello()).unwrap();
        }
        // Four that take nothing, and then one that takes much.
        std::thread::sleep(Duration::from_secs(1));
        let mut room = vec![0; 1 << 16];
        (0..3_000).map(|_| streams[0].read(&mut room).unwrap() as u64).sum::<u64>()
    });
    assert!(taken > 50_000_000, "{taken}");
    let grown = peak(&world) - before;
    assert!(grown < 8 * 1024, "{grown} KiB more");
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
}

/// The hello of a client for the host.
fn api_hello() -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), NAME.try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// What an agent gets for one request to its model: everything, until `most` bytes or the end; an error when it broke off.
pub(crate) fn ask(world: &World, most: usize) -> (String, io::Result<usize>) {
    world.agent(move || {
        let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
        let length = BODY.len();
        let head =
            format!("POST /v1/messages HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{BODY}").as_bytes()).unwrap();
        let (mut room, mut text, mut taken) = (vec![0; 1 << 16], Vec::new(), 0);
        let ended = loop {
            match stream.read(&mut room) {
                Ok(0) => break Ok(taken),
                Ok(length) => {
                    taken += length;
                    if text.len() < 4_000 {
                        text.extend_from_slice(&room[..length]);
                    }
                    if taken > most {
                        break Ok(taken);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        (String::from_utf8_lossy(&text).into_owned(), ended)
    })
}

/// A model API that does this with each request.
pub(crate) fn model(does: Does) -> World {
    let world = api::world(|_| {});
    host(&world, (API, UPSTREAM), does);
    world
}

pub(crate) const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
pub(crate) const STARTED: &str = "data: {\"message\":{\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}\n\n";

#[test]
#[ignore = "needs namespaces"]
fn a_model_api_that_gives_no_answer_is_an_error_that_says_why() {
    let cases: [(Does, &str); 4] = [
        (|_| Ok(()), "broke off"),
        (
            |mut stream| {
                takes_a_little(&mut stream)?;
                reset(&stream);
                Ok(())
            },
            "broke off",
        ),
        (
            |mut stream| {
                takes_a_little(&mut stream)?;
                stream.write_all(&[0x5a; 100_000])
            },
            "it is no HTTP",
        ),
        // 100 MB of headers, should anybody take them.
        (
            |mut stream| {
                takes_a_little(&mut stream)?;
                stream.write_all(FINE.as_bytes())?;
                for _ in 0..100_000 {
                    stream.write_all(format!("X-A: {}\r\n", "a".repeat(1_000)).as_bytes())?;
                }
                stream.write_all(b"Content-Length: 0\r\n\r\n")
            },
            "its head is too large",
        ),
    ];
    for (does, cause) in cases {
        let world = model(does);
        let before = peak(&world);
        let (said, ended) = ask(&world, usize::MAX);
        assert!(said.starts_with("HTTP/1.1 502 ") && ended.is_ok(), "{cause}: {said}, {ended:?}");
        assert!(said.contains("the model API") && said.contains(cause), "{cause}: {said}");
        assert!(!said.contains("oat-first") && !said.contains("sk-second"), "{said}");
        let grown = peak(&world) - before;
        assert!(grown < 8 * 1024, "{cause}: {grown} KiB more");
        echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    }
    // Nobody is there.
    let world = api::world(|_| {});
    let (said, _) = ask(&world, usize::MAX);
    assert!(said.starts_with("HTTP/1.1 502 ") && said.contains("cannot be reached"), "{said}");
}

#[test]
#[ignore = "needs namespaces"]
fn an_answer_that_breaks_off_breaks_off_for_the_agent_and_is_counted() {
    let mut world = model(|mut stream| {
        takes_a_little(&mut stream)?;
        stream.write_all(format!("{FINE}Content-Length: 100000\r\n\r\n{STARTED}").as_bytes())
    });
    let (said, ended) = ask(&world, usize::MAX);
    assert!(said.contains("input_tokens"), "{said}");
    let short = ended.is_err() || said.len() < 100_000;
    assert!(short && said.to_lowercase().contains("content-length: 100000"), "it is told to be whole: {said}");
    let GateLine::Report { tokens, .. } = world.report() else { panic!() };
    assert_eq!(tokens.input, 100);
}

#[test]
#[ignore = "needs namespaces"]
fn an_answer_without_end_is_passed_on_and_not_kept() {
    let endless: [Does; 3] = [
        // Events.
        |mut stream| {
            takes_a_little(&mut stream)?;
            stream.write_all(format!("{FINE}\r\n{STARTED}").as_bytes())?;
            let events = "data: {\"delta\":{\"text\":\"word\"}}\n\n".repeat(2_000);
            loop {
                stream.write_all(events.as_bytes())?;
            }
        },
        // One line.
        |mut stream| {
            takes_a_little(&mut stream)?;
            stream.write_all(format!("{FINE}\r\n{STARTED}data: ").as_bytes())?;
            loop {
                stream.write_all(&[b'x'; 64 * 1024])?;
            }
        },
        // One document, in chunks of one byte as they are said.
        |mut stream| {
            takes_a_little(&mut stream)?;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes())?;
            let chunks = "1\r\nx\r\n".repeat(10_000);
            loop {
                stream.write_all(chunks.as_bytes())?;
            }
        },
    ];
    for (turn, does) in endless.into_iter().enumerate() {
        let mut world = model(does);
        let before = peak(&world);
        let most = if turn == 2 { 5_000_000 } else { 100_000_000 };
        let (said, ended) = ask(&world, most);
        assert!(said.starts_with("HTTP/1.1 200 ") && ended.unwrap() > most, "{said:.300}");
        // A line is looked at up to 4 MiB.
        let grown = peak(&world) - before;
        assert!(grown < 14 * 1024, "{turn}: {grown} KiB more");
        echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
        let GateLine::Report { tokens, .. } = world.report() else { panic!() };
        assert!(turn == 2 || (tokens.input == 100 && tokens.output > 1_000_000), "{turn}: {tokens:?}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn an_agent_that_gives_up_on_a_model_that_stalls_frees_its_place() {
    let world = model(|mut stream| {
        while takes_a_little(&mut stream).is_ok() && stream.peek(&mut [0])? > 0 {}
        Ok(())
    });
    // More than there are places for bodies.
    world.agent(|| {
        for _ in 0..20 {
            let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let length = BODY.len();
            stream
                .write_all(
                    format!("POST /v1/messages HTTP/1.1\r\nHost: m\r\nContent-Length: {length}\r\n\r\n{BODY}")
                        .as_bytes(),
                )
                .unwrap();
            assert_eq!(stream.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
        stream.write_all(b"GET /v1/files HTTP/1.1\r\nHost: m\r\n\r\n").unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 403");
    });
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
}
