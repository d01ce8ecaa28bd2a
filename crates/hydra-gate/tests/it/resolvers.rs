//! A resolver that lies, is slow or dead. What it says of one name is never taken for another, and hurts no other connection.

use crate::{
    agent::echo,
    internet::{API, ATTACKER, RESOLVER},
    world::World,
};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, CNAME},
    },
};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    time::{Duration, Instant},
};

const PORT: u16 = 5300;
/// What it lies about; of every other name it says the truth.
const LIE: &str = "lie.files.example.org";

/// The answers to one question, each a message of its own.
type Lie = fn(&Message, Message) -> Vec<Message>;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}
fn address(of: &str, to: Ipv4Addr) -> Record {
    Record::from_rdata(name(of), 60, RData::A(A(to)))
}
fn alias(of: &str, to: &str) -> Record {
    Record::from_rdata(name(of), 60, RData::CNAME(CNAME(name(to))))
}

/// What is said to a question: the lie, or where the API is.
fn answers(bytes: &[u8], lie: Lie) -> Vec<Vec<u8>> {
    let asked = Message::from_vec(bytes).unwrap();
    let query = &asked.queries[0];
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    answer.add_query(query.clone());
    let about = query.name().to_ascii().to_lowercase();
    let all = if about.starts_with(LIE) {
        lie(&asked, answer)
    } else {
        if query.query_type() == RecordType::A {
            answer.add_answer(address(about.trim_end_matches('.'), API));
        }
        vec![answer]
    };
    all.iter().map(|message| message.to_vec().unwrap()).collect()
}

/// A world whose resolver lies; over TCP too where it may.
fn world(lie: Lie, over_tcp: Option<Lie>) -> World {
    let world = World::before(|limits| limits.connect_millis = 1_500).resolved_by((RESOLVER, PORT).into());
    let socket = world.internet.there(|| UdpSocket::bind((RESOLVER, PORT)).unwrap());
    // They end with the test's process.
    std::thread::spawn(move || {
        let mut room = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            let (question, socket) = (room[..length].to_vec(), socket.try_clone().unwrap());
            std::thread::spawn(move || {
                for bytes in answers(&question, lie) {
                    socket.send_to(&bytes, from).unwrap();
                }
            });
        }
    });
    if let Some(lie) = over_tcp {
        let listener = world.internet.there(|| TcpListener::bind((RESOLVER, PORT)).unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                    stream.read_exact(&mut question).unwrap();
                    for bytes in answers(&question, lie) {
                        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                        _ = stream.write_all(&[&length, bytes.as_slice()].concat());
                    }
                }
            }
        });
    }
    world.fenced(&["--allowed", "api.example.org"])
}

/// The name is refused for this reason, in time, while another connection goes on and others begin.
#[track_caller]
fn refused(world: &World, reason: DenyReason) {
    let mut open = world.reach("api.example.org").unwrap();
    let begun = Instant::now();
    let error = world.reach(LIE).map(drop).unwrap_err().to_string();
    assert!(error.contains("AccessDenied") && begun.elapsed() < Duration::from_secs(5), "{error}");
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.host.as_deref()), (reason, Some(LIE)));
    echo(&mut open, "still there").unwrap();
    echo(&mut world.reach("a.files.example.org").unwrap(), "hello").unwrap();
    assert!(world.internet.calls().iter().all(|(at, _)| *at == API), "{:?}", world.internet.calls());
}

#[test]
#[ignore = "needs namespaces"]
fn answers_to_another_question_are_none() {
    let lies: [Lie; 5] = [
        // Another number.
        |_, mut answer| {
            answer.metadata.id = answer.metadata.id.wrapping_add(1);
            answer.add_answer(address(LIE, ATTACKER));
            vec![answer]
        },
        // Another name asked and answered.
        |_, mut answer| {
            answer.queries = vec![Query::query(name("evil.test"), RecordType::A)];
            answer.add_answer(address("evil.test", ATTACKER));
            vec![answer]
        },
        // An address of somebody else.
        |_, mut answer| {
            answer.add_answer(address("evil.test", ATTACKER));
            vec![answer]
        },
        // The question itself.
        |asked, _| vec![asked.clone()],
        // No such name, and an address of it all the same.
        |_, mut answer| {
            answer.metadata.response_code = ResponseCode::NXDomain;
            answer.add_additional(address(LIE, ATTACKER));
            answer.add_authority(address(LIE, ATTACKER));
            vec![answer]
        },
    ];
    for lie in lies {
        refused(&world(lie, None), DenyReason::ResolveFailed);
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_chain_of_aliases_that_leads_inside_is_refused_and_one_without_end_ends() {
    let inside = world(
        |_, mut answer| {
            answer.add_answer(alias(LIE, "b.test"));
            answer.add_answer(alias("b.test", "c.test"));
            answer.add_answer(address("c.test", Ipv4Addr::new(169, 254, 169, 254)));
            vec![answer]
        },
        None,
    );
    refused(&inside, DenyReason::ResolvePrivate);
    let circle = world(
        |_, mut answer| {
            answer.add_answer(alias(LIE, "b.files.example.org"));
            answer.add_answer(alias("b.files.example.org", LIE));
            vec![answer]
        },
        None,
    );
    refused(&circle, DenyReason::ResolveFailed);
    // An alias alone is no lie: names of CDNs have nothing else.
    let outside = world(
        |_, mut answer| {
            answer.add_answer(alias(LIE, "edge.test"));
            answer.add_answer(address("edge.test", API));
            vec![answer]
        },
        None,
    );
    echo(&mut outside.reach(LIE).unwrap(), "hello").unwrap();
    assert_eq!(outside.internet.calls(), [(API.into(), LIE.to_owned())]);
}

#[test]
#[ignore = "needs namespaces"]
fn an_answer_that_is_cut_off_is_asked_for_again_over_tcp() {
    let cut: Lie = |_, mut answer| {
        answer.metadata.truncation = true;
        answer.add_answer(address(LIE, ATTACKER));
        vec![answer]
    };
    refused(&world(cut, None), DenyReason::ResolveFailed);
    let whole = world(
        cut,
        Some(|_, mut answer| {
            answer.add_answer(address(LIE, API));
            vec![answer]
        }),
    );
    echo(&mut whole.reach(LIE).unwrap(), "hello").unwrap();
    assert_eq!(whole.internet.calls(), [(API.into(), LIE.to_owned())]);
}

#[test]
#[ignore = "needs namespaces"]
fn a_resolver_that_fails_is_silent_or_dead_is_told_in_time() {
    let fails: [Lie; 3] = [
        |_, mut answer| {
            answer.metadata.response_code = ResponseCode::ServFail;
            vec![answer]
        },
        |_, _| Vec::new(),
        |_, answer| vec![answer],
    ];
    for fail in fails {
        refused(&world(fail, None), DenyReason::ResolveFailed);
    }
    // Nobody is there at all.
    let dead = World::before(|limits| limits.connect_millis = 1_500).resolved_by((RESOLVER, PORT).into());
    let mut dead = dead.fenced(&["--allowed", "api.example.org"]);
    let begun = Instant::now();
    dead.reach("api.example.org").map(drop).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(dead.one_refusal().reason, DenyReason::ResolveFailed);
    let GateLine::Report { reached, .. } = dead.report() else { panic!() };
    assert!(reached.iter().all(|host| host.connections == 0), "{reached:?}");
}

#[test]
#[ignore = "needs namespaces"]
fn a_slow_resolver_holds_up_nobody_else() {
    let slow = world(
        |asked, mut answer| {
            std::thread::sleep(Duration::from_millis(400));
            if asked.queries[0].query_type() == RecordType::A {
                answer.add_answer(address(LIE, API));
            }
            vec![answer]
        },
        None,
    );
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| echo(&mut slow.reach(LIE).unwrap(), "hello").unwrap());
        echo(&mut slow.reach("a.files.example.org").unwrap(), "hello").unwrap();
        assert!(begun.elapsed() < Duration::from_millis(400) && !waits.is_finished());
        waits.join().unwrap();
    });
    assert!(begun.elapsed() >= Duration::from_millis(400));
}
