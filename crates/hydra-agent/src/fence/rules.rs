//! Hands the rendered rules to `iptables-restore` and `ip6tables-restore`: tested first, IPv6 before IPv4, read back.

use hydra_egress::iptables::{Allowed, ip6tables, iptables};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Both rule sets.
pub(super) struct Files {
    v4: String,
    v6: Option<String>,
}

/// Renders them. Where the kernel has no IPv6 at all there is nothing to fence in it.
pub(super) fn files(allowed: Allowed) -> Files {
    let has_v6 = Path::new("/proc/net/if_inet6").exists();
    Files { v4: iptables(&allowed), v6: has_v6.then(|| ip6tables(&allowed)) }
}

impl Files {
    /// Whether both would be taken.
    pub(super) fn test(&self) -> Result<(), String> {
        if let Some(v6) = &self.v6 {
            feed("ip6tables-restore", &["--test"], v6)?;
        }
        feed("iptables-restore", &["--test"], &self.v4).map(drop)
    }

    /// Applies both. After the first the container is cut off in IPv6 already, whatever becomes of the second.
    pub(super) fn apply(&self) -> Result<(), String> {
        if let Some(v6) = &self.v6 {
            feed("ip6tables-restore", &[], v6)?;
        }
        feed("iptables-restore", &[], &self.v4).map(drop)
    }

    /// Whether the kernel holds exactly what was rendered.
    pub(super) fn read_back(&self) -> Result<(), String> {
        if let Some(v6) = &self.v6 {
            same("ip6tables-save", v6, &feed("ip6tables-save", &["-t", "filter"], "")?)?;
        }
        same("iptables-save", &self.v4, &feed("iptables-save", &["-t", "filter"], "")?)
    }
}

/// Runs one of the programs with a text on its standard input; its output.
fn feed(program: &str, args: &[&str], text: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}; the image must hold iptables"))?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(text.as_bytes()),
        None => Ok(()),
    };
    let output = child.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {} failed: {}", args.join(" "), crate::events::cut(said.trim(), 1_000)));
    }
    written.map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines that mean something: policies without their counters, and rules, in order.
fn meaning(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with([':', '-']))
        .map(|line| {
            if line.starts_with(':') { line.split(" [").next().unwrap_or_default() } else { line }.trim().to_owned()
        })
        .collect()
}

fn same(program: &str, rendered: &str, held: &str) -> Result<(), String> {
    let (rendered, held) = (meaning(rendered), meaning(held));
    if rendered == held {
        return Ok(());
    }
    let odd = held.iter().find(|line| !rendered.contains(line)).or(rendered.iter().find(|line| !held.contains(line)));
    Err(format!(
        "{program} shows other rules than were set, such as {:?}",
        odd.map_or("an order of their own", String::as_str)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_holds_must_be_what_was_rendered() {
        let rendered = iptables(&Allowed::default());
        let held = format!("# Generated\n{}# Completed\n", rendered.replace("[0:0]", "[3:180]"));
        assert_eq!(same("iptables-save", &rendered, &held), Ok(()));
        let open = held.replace(":OUTPUT DROP", ":OUTPUT ACCEPT");
        assert!(same("iptables-save", &rendered, &open).unwrap_err().contains(":OUTPUT ACCEPT"));
        let more = held.replace("COMMIT", "-A OUTPUT -j ACCEPT\nCOMMIT");
        assert!(same("iptables-save", &rendered, &more).unwrap_err().contains("-A OUTPUT -j ACCEPT"));
        let less = held.replace("-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset\n", "");
        assert!(same("iptables-save", &rendered, &less).is_err());
    }
}
