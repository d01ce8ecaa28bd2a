//! The agent's name server: a synthetic address for a name that is allowed, and a reason for every other. It asks nobody.

mod server;

pub(crate) use server::{serve_tcp, serve_udp};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{A, opt::EdnsOption},
    },
};
use hydra_core::egress::{DenyReason, HostName};
use std::net::Ipv4Addr;

/// Seconds that an answer may be kept.
const TTL: u32 = 1;
/// EDNS option 15, Extended DNS Errors (RFC 8914); 17 is `Filtered`.
const EXTENDED_ERROR: u16 = 15;
const FILTERED: u16 = 17;

/// What is to be sent back, and what is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message; `None`: what came was no question, and nothing is answered.
    pub bytes: Option<Vec<u8>>,
    /// Why it is refused, and the name that was asked for.
    pub refused: Option<(DenyReason, String)>,
}

/// Answers one message. `address` gives the address of a name that may be reached, and nothing for any other.
pub fn respond(bytes: &[u8], address: impl FnOnce(&HostName) -> Option<Ipv4Addr>) -> Answer {
    let Ok(asked) = Message::from_vec(bytes) else { return Answer::default() };
    if asked.metadata.message_type != MessageType::Query {
        return Answer::default();
    }
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    answer.metadata.recursion_desired = asked.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    let edns = asked.edns.as_ref().map(|_| {
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns
    });
    let (code, refused) = match (asked.metadata.op_code, asked.queries.as_slice()) {
        (OpCode::Query, [query]) if query.query_class() == DNSClass::IN => {
            answer.add_query(query.clone());
            judge(query.name(), query.query_type(), address, &mut answer)
        }
        (OpCode::Query, _) => (ResponseCode::FormErr, None),
        _ => (ResponseCode::NotImp, None),
    };
    answer.metadata.response_code = code;
    if let Some(mut edns) = edns {
        if let Some((reason, name)) = &refused {
            let text = format!("hydra: {reason}: {name} is not in the egress policy of this job");
            edns.options_mut()
                .insert(EdnsOption::Unknown(EXTENDED_ERROR, [&FILTERED.to_be_bytes(), text.as_bytes()].concat()));
        }
        answer.set_edns(edns);
    }
    Answer { bytes: answer.to_vec().ok(), refused }
}

fn judge(
    name: &Name,
    kind: RecordType,
    address: impl FnOnce(&HostName) -> Option<Ipv4Addr>,
    answer: &mut Message,
) -> (ResponseCode, Option<(DenyReason, String)>) {
    let text = name.to_ascii();
    let text = text.trim_end_matches('.');
    let host = text.parse::<HostName>().ok();
    let Some(address) = host.as_ref().and_then(address) else {
        return (ResponseCode::NXDomain, Some((DenyReason::DnsNotAllowed, text.to_owned())));
    };
    match kind {
        RecordType::A => {
            answer.add_answer(Record::from_rdata(name.clone(), TTL, RData::A(A(address))));
            (ResponseCode::NoError, None)
        }
        // There is none: everything goes over the address of the other family.
        RecordType::AAAA => (ResponseCode::NoError, None),
        _ => (ResponseCode::NoError, Some((DenyReason::DnsQtype, text.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use proptest::prelude::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

    fn question(name: &str, kind: RecordType, edns: bool) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        if edns {
            message.set_edns(Edns::new());
        }
        message.to_vec().unwrap()
    }
    fn ask(name: &str, kind: RecordType, edns: bool) -> (Message, Option<(DenyReason, String)>) {
        let asked = question(name, kind, edns);
        let allowed = "api.example.org".parse::<HostName>().unwrap();
        let answer = respond(&asked, |name| (*name == allowed).then_some(ADDRESS));
        let message = Message::from_vec(&answer.bytes.unwrap()).unwrap();
        assert_eq!(message.metadata.id, Message::from_vec(&asked).unwrap().metadata.id);
        (message, answer.refused)
    }

    #[test]
    fn a_name_that_is_allowed_has_an_address_of_one_family_for_a_second() {
        let (message, refused) = ask("API.example.org.", RecordType::A, true);
        assert_eq!((message.metadata.response_code, refused), (ResponseCode::NoError, None));
        let [record] = message.answers.as_slice() else { panic!("{message:?}") };
        assert_eq!((&record.data, record.ttl), (&RData::A(A(ADDRESS)), TTL));
        let (message, refused) = ask("api.example.org.", RecordType::AAAA, true);
        assert_eq!((message.metadata.response_code, message.answers.len(), refused), (ResponseCode::NoError, 0, None));
    }

    #[test]
    fn other_names_do_not_exist_and_the_answer_says_why() {
        for name in
            ["evil.test.", "api.example.org.evil.test.", "x.api.example.org.", "1.0.0.127.in-addr.arpa.", "_dmarc.x."]
        {
            let (message, refused) = ask(name, RecordType::A, true);
            assert_eq!(message.metadata.response_code, ResponseCode::NXDomain);
            assert_eq!(refused, Some((DenyReason::DnsNotAllowed, name.trim_end_matches('.').to_owned())));
            let edns = message.edns.unwrap();
            let option = edns.option(EXTENDED_ERROR.into()).unwrap();
            let EdnsOption::Unknown(EXTENDED_ERROR, bytes) = option else { panic!("{option:?}") };
            assert_eq!(bytes[..2], [0, 17]);
            assert!(String::from_utf8_lossy(&bytes[2..]).starts_with("hydra: dns.not_allowed: "));
        }
        assert!(ask("evil.test.", RecordType::A, false).0.edns.is_none(), "who knows no EDNS gets none");
    }

    #[test]
    fn other_kinds_of_questions_are_never_answered() {
        for kind in
            [RecordType::HTTPS, RecordType::SVCB, RecordType::TXT, RecordType::MX, RecordType::ANY, RecordType::NULL]
        {
            let (message, refused) = ask("api.example.org.", kind, true);
            assert_eq!((message.metadata.response_code, message.answers.len()), (ResponseCode::NoError, 0), "{kind}");
            assert_eq!(refused, Some((DenyReason::DnsQtype, "api.example.org".to_owned())), "{kind}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_answer_what_is_no_question(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let answer = respond(&bytes, |_| Some(ADDRESS));
            if bytes.get(2).is_some_and(|flags| flags & 0x80 != 0) {
                prop_assert_eq!(answer.bytes, None);
            }
        }
    }
}
