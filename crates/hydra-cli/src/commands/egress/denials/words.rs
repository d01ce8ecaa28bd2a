//! What each reason means to people, and what helps where no line of the policy does.

use hydra_core::egress::DenyReason;

/// A reason in words.
#[must_use]
pub(super) const fn why(reason: DenyReason) -> &'static str {
    match reason {
        DenyReason::DnsNotAllowed => "the name is not in the policy",
        DenyReason::DnsQtype => "a question for more than an address",
        DenyReason::TlsNoSni => "a handshake without a name",
        DenyReason::TlsNotTls => "no TLS on port 443",
        DenyReason::TlsSniNotAllowed => "the handshake's name is not in the policy",
        DenyReason::TlsSniDnsMismatch => "another name than was looked up",
        DenyReason::TlsEch => "the handshake hides its name (ECH)",
        DenyReason::TlsHelloTimeout => "no handshake came",
        DenyReason::ConnectPort => "a tunnel to another port than 443",
        DenyReason::ConnectMethod => "a proxy request that is no tunnel",
        DenyReason::ConnectSniMismatch => "another name inside a tunnel",
        DenyReason::ResolvePrivate => "its address is nobody's outside",
        DenyReason::ResolveFailed => "the name does not resolve",
        DenyReason::PacketTcp => "TCP to another port than 443",
        DenyReason::PacketUdp => "UDP",
        DenyReason::PacketOther => "neither TCP nor UDP",
        DenyReason::LimitConns => "too many connections at a time",
        DenyReason::LimitBytes => "too many bytes sent to one host",
        DenyReason::InspectHostMismatch => "another host inside an inspected connection",
        DenyReason::InspectMethod => "a request that is not allowed there",
    }
}

/// What to do about a reason that no line of the policy opens; `None`: a line does.
#[must_use]
pub(super) const fn instead(reason: DenyReason) -> Option<&'static str> {
    match reason {
        DenyReason::DnsNotAllowed | DenyReason::TlsSniNotAllowed => None,
        DenyReason::DnsQtype => Some("addresses alone are answered; other records could carry data"),
        DenyReason::TlsNoSni => Some("dial the host's name and not its address, so that the client sends it (SNI)"),
        DenyReason::TlsNotTls => Some("only HTTPS leaves: use an https:// address"),
        DenyReason::TlsSniDnsMismatch => Some("ask for the very name that was looked up"),
        DenyReason::TlsEch => Some("turn Encrypted ClientHello off in the client"),
        DenyReason::TlsHelloTimeout => Some("the client connected and said nothing; see its log"),
        DenyReason::ConnectPort => Some("only port 443 is tunnelled"),
        DenyReason::ConnectMethod => Some("only HTTPS leaves: use an https:// address, or CONNECT to port 443"),
        DenyReason::ConnectSniMismatch => Some("ask inside a tunnel for the name that it was made to"),
        DenyReason::ResolvePrivate => {
            Some("only a self-hosted model API may have such an address: egress.model_endpoint")
        }
        DenyReason::ResolveFailed => {
            Some("see to the name's own DNS, or name a server that answers: egress.name_servers")
        }
        DenyReason::PacketTcp => Some("only HTTPS by name leaves, on port 443"),
        DenyReason::PacketUdp => Some("only HTTPS over TCP leaves; names are answered by the gate on port 53"),
        DenyReason::PacketOther => Some("only HTTPS over TCP leaves; ping proves nothing here"),
        DenyReason::LimitConns => Some("512 connections at a time are served; the others were refused"),
        DenyReason::LimitBytes => Some("1 GiB may be sent to one host by one job"),
        DenyReason::InspectHostMismatch => Some("ask for the host that the handshake named"),
        DenyReason::InspectMethod => Some(
            "the model API takes model requests alone; for an inspected host see methods and paths of egress.inspect",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_words_of_its_own_and_opens_or_says_what_helps() {
        let words: std::collections::BTreeSet<&str> = DenyReason::ALL.iter().map(|reason| why(*reason)).collect();
        assert_eq!(words.len(), DenyReason::ALL.len());
        assert!(words.iter().all(|words| words.len() <= 44), "a column is not wider: {words:?}");
        let opens: Vec<&str> =
            DenyReason::ALL.iter().filter(|reason| instead(**reason).is_none()).map(|reason| reason.as_str()).collect();
        assert_eq!(opens, ["dns.not_allowed", "tls.sni_not_allowed"]);
    }
}
