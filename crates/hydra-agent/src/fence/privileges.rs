//! What this process may do: checked before the fence, given up after it, checked again.

use caps::{CapSet, Capability};

/// Of `/proc/self/status`: what decides whether the fence holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Status {
    no_new_privs: bool,
    threads: u64,
    inheritable: u64,
    permitted: u64,
    effective: u64,
    ambient: u64,
}

/// NET_ADMIN is capability 12.
const NET_ADMIN: u64 = 1 << 12;

fn parse(text: &str) -> Result<Status, String> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| format!("/proc/self/status has no line {name}"))
    };
    let set = |name: &str| {
        field(name).and_then(|value| u64::from_str_radix(value, 16).map_err(|error| format!("{name}: {error}")))
    };
    Ok(Status {
        no_new_privs: field("NoNewPrivs")? == "1",
        threads: field("Threads")?.parse().map_err(|error| format!("Threads: {error}"))?,
        inheritable: set("CapInh")?,
        permitted: set("CapPrm")?,
        effective: set("CapEff")?,
        ambient: set("CapAmb")?,
    })
}

fn read() -> Result<Status, String> {
    parse(&std::fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?)
}

/// Before the fence: the means to make it, and that what is given up cannot come back.
pub(super) fn check_before() -> Result<(), String> {
    judge_before(&read()?)
}

fn judge_before(status: &Status) -> Result<(), String> {
    if status.effective & NET_ADMIN == 0 {
        return Err(
            "the capability NET_ADMIN is missing, so no rule can be set: start the container with --cap-add NET_ADMIN \
                    as uid 0, or choose another egress mode"
                .into(),
        );
    }
    if !status.no_new_privs {
        return Err("no-new-privileges is not set, so what is given up could be regained: start the container with \
                    --security-opt no-new-privileges"
            .into());
    }
    if status.threads != 1 {
        return Err(format!("{} threads run already, and capabilities belong to threads", status.threads));
    }
    Ok(())
}

/// Empties every set but the bounding one, which needs SETPCAP: that one stays, and means nothing under no-new-privileges.
pub(super) fn drop_all() -> Result<(), String> {
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|error| format!("{set:?}: {error}"))?;
    }
    check_after()?;
    // Not only empty, but not to be had: the kernel itself must refuse.
    match caps::raise(None, CapSet::Effective, Capability::CAP_NET_ADMIN) {
        Err(_) => Ok(()),
        Ok(()) => Err("NET_ADMIN came back".into()),
    }
}

/// After it: nothing is left, and nothing comes back.
pub(super) fn check_after() -> Result<(), String> {
    judge_after(&read()?)
}

fn judge_after(status: &Status) -> Result<(), String> {
    let left = [
        ("inheritable", status.inheritable),
        ("permitted", status.permitted),
        ("effective", status.effective),
        ("ambient", status.ambient),
    ];
    if let Some((name, bits)) = left.into_iter().find(|(_, bits)| *bits != 0) {
        return Err(format!("capabilities {bits:#x} are left in the {name} set"));
    }
    if !status.no_new_privs {
        return Err("no-new-privileges is not set".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(no_new_privs: u8, threads: u8, permitted: &str, effective: &str) -> Status {
        parse(&format!(
            "Name:\tx\nThreads:\t{threads}\nCapInh:\t0\nCapPrm:\t{permitted}\nCapEff:\t{effective}\nCapBnd:\t1000\nCapAmb:\t0\nNoNewPrivs:\t{no_new_privs}\n"
        ))
        .unwrap()
    }

    #[test]
    fn each_precondition_is_named_with_what_to_do() {
        assert_eq!(judge_before(&status(1, 1, "1000", "1000")), Ok(()));
        for (status, part) in [
            (status(1, 1, "0", "0"), "--cap-add NET_ADMIN"),
            (status(0, 1, "1000", "1000"), "--security-opt no-new-privileges"),
            (status(1, 2, "1000", "1000"), "threads"),
        ] {
            let why = judge_before(&status).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn anything_left_is_refused() {
        assert_eq!(judge_after(&status(1, 9, "0", "0")), Ok(()));
        assert!(judge_after(&status(1, 1, "1000", "0")).is_err());
        assert!(judge_after(&status(1, 1, "0", "1")).is_err());
        assert!(judge_after(&status(0, 1, "0", "0")).is_err());
        assert!(parse("Name: x\n").is_err(), "a status that cannot be read proves nothing");
    }
}
