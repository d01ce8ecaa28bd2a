//! Landlock: no file but those in the folder that it keeps its count in, and these only to be written; no port to listen at; a few to dial.

use super::Needs;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
};

/// The newest version of the interface whose rights are all known to be of no use to a gate. A kernel that has less gives what it has.
const KNOWN: ABI = ABI::V7;
/// What a file that is written anew and put in the place of an older one needs.
const REPLACE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | RemoveFile});

/// Restricts this thread and those that it starts. Says by which version of the interface, or that the kernel has none.
pub(super) fn restrict(needs: &Needs) -> Result<Option<u32>, Box<dyn std::error::Error>> {
    let made = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    let ports = needs.ports.iter().map(|port| Ok(NetPort::new(*port, AccessNet::ConnectTcp)));
    let mut made = made.add_rules(ports.collect::<Vec<Result<_, RulesetError>>>())?;
    if let Some(kept) = &needs.kept {
        made = made.add_rule(PathBeneath::new(PathFd::new(kept)?, REPLACE))?;
    }
    let status = made.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) | (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
    })
}
