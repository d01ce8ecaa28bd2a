//! The host behind the proxies, and the resolver that names it. The host reads a ClientHello as it is and answers it with one byte; what
//! follows is plain bytes. No contender looks past the hello, so ciphers would cost all of them the same, and hide what they cost themselves.

use crate::place::Place;
use hickory_proto::{
    op::Message,
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SOA},
    },
};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    thread::Builder,
};

/// The one name.
pub(crate) const NAME: &str = "api.example.org";
/// Public addresses; in the namespace they are ours.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 10);
pub(crate) const RESOLVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(11, 0, 0, 53)), 53);
const TTL: u32 = 3600;
/// Bytes that are written at a time.
const PIECE: usize = 256 * 1024;
/// The stack of a connection's thread: thousands may be there for a moment.
const STACK: usize = 128 * 1024;

/// What is asked of the host after its first byte.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    /// Bytes without end.
    Send = b's' as isize,
    /// Pieces of [`ECHO`] bytes, each said back.
    Echo = b'e' as isize,
    /// Nothing: the connection stays as it is.
    Hold = b'h' as isize,
}
/// Bytes of one piece that is said back.
pub(crate) const ECHO: usize = 64;

/// The host. Its threads end with the bench's process, what they serve ends with the connections.
pub(crate) struct Server {
    held: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    /// In a namespace with nothing in it yet.
    pub(crate) fn new(place: &Place) -> Self {
        place.run("ip link set lo up");
        for address in [HOST.into(), RESOLVER.ip()] {
            place.run(&format!("ip addr add {address}/32 dev lo"));
        }
        let (listener, socket) = place.inside(|| {
            // The standard library lets 4,096 wait where the kernel does.
            (TcpListener::bind((HOST, 443)).unwrap(), UdpSocket::bind(RESOLVER).unwrap())
        });
        std::thread::spawn(move || resolve(&socket));
        let held = Arc::default();
        let server = Self { held: Arc::clone(&held) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let held = Arc::clone(&held);
                let answer = move || answer(stream.unwrap(), &held);
                Builder::new().stack_size(STACK).spawn(answer).unwrap();
            }
        });
        server
    }
    /// Connections that are held.
    pub(crate) fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }
    pub(crate) fn let_go(&self) {
        self.held.lock().unwrap().clear();
    }
}

/// Nothing when the other side has gone.
fn answer(mut stream: TcpStream, held: &Mutex<Vec<TcpStream>>) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello).ok()?;
    assert!(head[0] == 22 && hello.windows(NAME.len()).any(|part| part == NAME.as_bytes()), "the hello came unchanged");
    stream.write_all(b"!").ok()?;
    let mut asked = [0];
    stream.read_exact(&mut asked).ok()?;
    match asked[0] {
        asked if asked == Ask::Send as u8 => {
            let piece = vec![0; PIECE];
            loop {
                stream.write_all(&piece).ok()?;
            }
        }
        asked if asked == Ask::Echo as u8 => {
            let mut piece = [0; ECHO];
            loop {
                stream.read_exact(&mut piece).ok()?;
                stream.write_all(&piece).ok()?;
            }
        }
        _ => held.lock().unwrap().push(stream),
    }
    Some(())
}

fn resolve(socket: &UdpSocket) {
    let mut room = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut room) {
        let asked = Message::from_vec(&room[..length]).unwrap();
        let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
        let query = asked.queries[0].clone();
        if query.query_type() == RecordType::A {
            answer.add_answer(Record::from_rdata(query.name().clone(), TTL, RData::A(A(HOST))));
        } else {
            // That there is nothing is known for as long.
            let zone = Name::from_ascii("example.org.").unwrap();
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 3600, 600, 86_400, TTL);
            answer.add_authority(Record::from_rdata(zone, TTL, RData::SOA(soa)));
        }
        answer.add_query(query);
        socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
    }
}
