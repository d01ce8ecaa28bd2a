//! Hosts whose requests the gate looks into: one certificate for all of them, made for one job, and the registries' credentials.

use hydra_core::{
    Timestamp,
    egress::HostName,
    job::{CredentialName, InputFile, JobSpec, Network},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// What the job's tools are told to believe, in its `/in`.
const AUTHORITY: &str = "egress-ca.pem";
/// Clocks differ.
const BEFORE: Duration = Duration::from_secs(60 * 60);
/// Longer than any job.
const AFTER: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Gives the gate what it needs to look into requests, and the job the authority that it may believe.
pub(crate) fn equip(
    registries: &BTreeMap<String, SecretString>,
    spec: &mut JobSpec,
    now: Timestamp,
) -> Result<(), String> {
    let Network::Gated(gated) = &mut spec.network else { return Ok(()) };
    if gated.config.inspect.is_empty() {
        return Ok(());
    }
    for (host, rule) in &gated.config.inspect {
        let Some(name) = &rule.credential else { continue };
        let value =
            registries.get(name).ok_or_else(|| format!("there is no credential {name:?} for the registry {host}"))?;
        gated.withheld.registries.insert(name.clone(), value.clone());
        let credential = CredentialName::Registry(name.clone());
        if !spec.credentials.contains(&credential) {
            spec.credentials.push(credential);
        }
    }
    let hosts: Vec<&HostName> = gated.config.inspect.keys().collect();
    let made =
        certificate(&hosts, now).map_err(|error| format!("cannot make the certificate of inspected hosts: {error}"))?;
    gated.withheld.certificate = Some(made.chain_and_key);
    spec.inputs.insert(AUTHORITY.to_owned(), InputFile::Bytes(made.authority.into_bytes()));
    Ok(())
}

struct Made {
    authority: String,
    chain_and_key: SecretString,
}

/// An authority that can speak for these hosts alone, and one certificate for them. The authority's own key is forgotten at once.
fn certificate(hosts: &[&HostName], now: Timestamp) -> Result<Made, rcgen::Error> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name = named("Hydra egress gate, one job's authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let only = hosts.iter().map(|host| GeneralSubtree::DnsName(host.to_string())).collect();
    authority.name_constraints = Some(NameConstraints { permitted_subtrees: only, excluded_subtrees: Vec::new() });
    let mut leaf = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    leaf.distinguished_name = named("Hydra egress gate");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    for params in [&mut authority, &mut leaf] {
        params.not_before = (now - BEFORE).into();
        params.not_after = (now + AFTER).into();
    }
    let (own, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let certificate = authority.self_signed(&own)?;
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, own))?;
    let chain_and_key = format!("{}{}", leaf.pem(), key.serialize_pem()).into();
    Ok(Made { authority: certificate.pem(), chain_and_key })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    };
    use secrecy::ExposeSecret as _;
    use std::sync::Arc;

    /// A handshake in memory with who holds the certificate.
    fn shake(authority: &str, held: &str, name: &'static str) -> Result<(), rustls::Error> {
        let provider = || Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::pem_slice_iter(held.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(held.as_bytes()).unwrap();
        let server = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let server = server.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let mut client = ClientConnection::new(Arc::new(client), name.try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn its_certificate_is_believed_for_the_inspected_hosts_and_for_no_other() {
        let hosts: [HostName; 2] = ["npm.example.org", "pip.example.org"].map(|host| host.parse().unwrap());
        let made = certificate(&hosts.iter().collect::<Vec<_>>(), Timestamp::now()).unwrap();
        let held = made.chain_and_key.expose_secret();
        for name in ["npm.example.org", "pip.example.org"] {
            shake(&made.authority, held, name).unwrap();
        }
        assert!(shake(&made.authority, held, "api.example.org").is_err());
        let another = certificate(&hosts.iter().collect::<Vec<_>>(), Timestamp::now()).unwrap();
        assert!(shake(&another.authority, held, "npm.example.org").is_err(), "each job has an authority of its own");
        assert!(!made.authority.contains("PRIVATE"));
    }
}
