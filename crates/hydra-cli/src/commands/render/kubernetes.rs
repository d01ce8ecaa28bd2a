//! `hydra render networkpolicy|cilium`: the fence of one job's namespace.

use super::{addresses, given, network};
use crate::{args::ClusterArgs, context::Context, exit::Exit, failure::Failure};
use hydra_core::{egress::gate::GateConfig, job::Network};
use hydra_egress::kubernetes::{NotWritten, Surroundings};

/// How a form is written.
type Form = fn(&GateConfig, &Surroundings) -> Result<String, NotWritten>;

pub(super) fn run(context: &Context, args: &ClusterArgs, form: Form) -> Result<Exit, Failure> {
    let given = given(&args.resolve)?;
    if let Some(name) = args.namespace.as_deref().filter(|name| !is_label(name)) {
        return Err(Failure::new(Exit::Usage, format!("--namespace {name}: it is no name of a namespace"))
            .help("1 to 63 of a-z, 0-9 and -, with no - at either end"));
    }
    let gate = match network(context, args.container)? {
        Network::Gated(gated) => gated.config,
        // A pod has a network unless it is taken away: the policy holds whatever runs jobs here.
        Network::None | Network::Named(_) => {
            GateConfig::of(&context.load()?.settings.egress, args.container, "hydra-render")
        }
    };
    let mut around = Surroundings { namespace: args.namespace.clone(), ..Surroundings::default() };
    if let Some(endpoint) = gate.place() {
        around.model = addresses(endpoint, &given)?.iter().map(std::net::SocketAddr::ip).collect();
    }
    let documents = form(&gate, &around).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    if context.screen.json {
        let body = serde_json::json!({ "container": args.container, "documents": documents });
        context.screen.json("fence", &body)?;
    } else {
        context.screen.text(documents.as_bytes())?;
    }
    Ok(Exit::Ok)
}

/// Whether it is a label of DNS, which the name of a namespace must be.
fn is_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') && !name.ends_with('-')
}
