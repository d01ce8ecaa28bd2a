//! Questions to the agent's name server.

use crate::{dns::respond, names::Names};
use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use hydra_core::egress::{AllowedNames, DenyReason, HostName, HostPattern};
use std::{cell::RefCell, net::Ipv4Addr};

fn question(names: &[&str], kind: RecordType, edns: bool) -> Vec<u8> {
    let mut message = Message::query();
    for name in names {
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    }
    if edns {
        message.set_edns(Edns::new());
    }
    message.to_vec().unwrap()
}

/// The labels of the first question, read here byte by byte: it stands right after the head, where there is nothing to point back to.
fn labels(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.get(12..)?;
    let mut labels = Vec::new();
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length != 0) {
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8(label.to_vec()).ok().filter(|label| !label.contains('.'))?);
        rest = after;
    }
    Some(labels.join("."))
}

fn judged(bytes: &[u8], allowed: &AllowedNames, names: &RefCell<Names>) -> String {
    let given = RefCell::new(None::<(HostName, Ipv4Addr)>);
    let answer = respond(bytes, |name| {
        let address = allowed.allows(name).then(|| names.borrow_mut().address(name))?;
        given.replace(Some((name.clone(), address)));
        Some(address)
    });
    let asked = Message::from_vec(bytes);
    let Some(written) = &answer.bytes else {
        assert!(asked.is_err() || bytes[2] & 0x80 != 0, "a question without an answer");
        assert_eq!(answer.refused, None);
        return "nothing".to_owned();
    };
    let asked = asked.expect("what is answered can be read");
    let said = Message::from_vec(written).expect("an answer that can be read");
    assert_eq!((said.metadata.message_type, said.metadata.id), (MessageType::Response, asked.metadata.id));
    assert!(written.len() <= 1232, "an answer of {} bytes", written.len());
    assert!(said.authorities.is_empty() && said.additionals.is_empty());
    assert_eq!(said.edns.is_some(), asked.edns.is_some());
    let code = said.metadata.response_code;
    if asked.metadata.op_code != OpCode::Query || asked.queries.len() != 1 {
        assert!(said.answers.is_empty() && given.borrow().is_none() && answer.refused.is_none());
        assert!(matches!(code, ResponseCode::FormErr | ResponseCode::NotImp), "{code}");
        return format!("no question: {code}");
    }
    if said.queries.is_empty() {
        assert_eq!((code, said.answers.len()), (ResponseCode::FormErr, 0));
        return "another class".to_owned();
    }
    let (query, back) = (&asked.queries[0], &said.queries[0]);
    assert!(query.name().eq_case(back.name()) && query.query_type() == back.query_type(), "{query} is not {back}");
    for record in &said.answers {
        assert_eq!(query.query_type(), RecordType::A);
        assert!(record.name.eq_case(query.name()) && record.ttl <= 1, "{record}");
        let RData::A(address) = &record.data else { panic!("{record}") };
        let (name, its) = given.borrow().clone().expect("a name that is allowed");
        assert_eq!(its, address.0);
        assert!(matches!(its.octets(), [198, 18 | 19, ..]), "{its}");
        // By what stands on the wire, and not by anything that was made of it.
        assert_eq!(labels(bytes).map(|name| name.to_ascii_lowercase()).as_deref(), Some(name.as_str()));
    }
    let reason = answer.refused.map(|(reason, _)| reason);
    assert_eq!(reason == Some(DenyReason::DnsNotAllowed), code == ResponseCode::NXDomain);
    assert_eq!(given.borrow().is_none(), code == ResponseCode::NXDomain);
    assert_eq!(!said.answers.is_empty(), code == ResponseCode::NoError && query.query_type() == RecordType::A);
    let address = if said.answers.is_empty() { "no address" } else { "an address" };
    format!("{code}, {address}, {reason:?}")
}

thread_local! {
    /// What is allowed, and the addresses that were given so far.
    static WORLD: (AllowedNames, RefCell<Names>) = {
        let patterns = ["api.example.org", "*.files.example.org"].iter().filter_map(|line| line.parse::<HostPattern>().ok());
        (AllowedNames::from_iter(patterns), RefCell::default())
    };
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    WORLD.with(|(allowed, names)| judged(bytes, allowed, names))
}

/// Questions of every kind, for names that are allowed and for others, and messages that are no question.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let long = format!("{}example.org.", "a".repeat(49).as_str().to_owned() + "." + &"b.".repeat(90));
    let mut corpus = Vec::new();
    for kind in [RecordType::A, RecordType::AAAA, RecordType::HTTPS, RecordType::SVCB, RecordType::TXT, RecordType::ANY]
    {
        for name in ["API.example.org.", "x.files.example.org.", "evil.test.", "xn--bcher-kva.files.example.org.", "."]
        {
            corpus.push(question(&[name], kind, true));
            corpus.push(question(&[name], kind, false));
        }
    }
    corpus.push(question(&["api.example.org.", "evil.test."], RecordType::A, true));
    corpus.push(question(&[], RecordType::A, true));
    corpus.push(question(&[&long], RecordType::A, true));
    let mut response = question(&["api.example.org."], RecordType::A, true);
    response[2] |= 0x80;
    corpus.push(response);
    corpus
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn questions() {
        let report = hydra_fuzz::fuzz("dns-question", &seeds(), check);
        for kind in [
            "nothing",
            "No Error, an address, None",
            "Non-Existent Domain",
            "no question: Form",
            "no question: Not",
            "another class",
        ] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
        assert!(report.answers.keys().any(|answer| answer.contains("DnsQtype")), "{report:?}");
    }
}
