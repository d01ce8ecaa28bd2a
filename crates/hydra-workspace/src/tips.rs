//! Where the base and the work branch stand.

use crate::{
    error::missing,
    mirror::{Mirror, READER},
};
use hydra_core::{
    BranchName,
    ports::{Tips, WorkspaceError, WorkspaceErrorKind},
};

/// Fetches both branches and returns their tips. An absent work branch is `None` only where the remote answered, and without it.
pub(crate) async fn tips(mirror: &Mirror<'_>, base: &BranchName, head: &BranchName) -> Result<Tips, WorkspaceError> {
    let remote = mirror.remote(READER).await?;
    let (base_ref, head_ref) = (format!("refs/heads/{base}"), format!("refs/heads/{head}"));
    // A branch may be deleted or moved between the question and the fetch: ask once more then.
    let mut tries = 0;
    loop {
        tries += 1;
        let found = mirror.advertised(&remote, &[&base_ref, &head_ref]).await?;
        let Some(base_tip) = found.get(&base_ref).cloned() else {
            return Err(missing(format!("{} has no branch {base}", mirror.repo)));
        };
        let tips = Tips { base: base_tip, head: found.get(&head_ref).cloned() };
        let mut whole = mirror.holds(&tips.base).await?;
        if let Some(tip) = &tips.head {
            whole = whole && mirror.holds(tip).await?;
        }
        if whole {
            return Ok(tips);
        }
        let _writing = mirror.lock().await?;
        let refspecs: Vec<_> = found.keys().map(|name| format!("+{name}:{}", Mirror::tracking(name))).collect();
        match mirror.fetch(&remote, &refspecs).await {
            Err(e) if e.kind == WorkspaceErrorKind::Missing && tries < 3 => continue,
            other => other?,
        }
        let mut whole = mirror.holds(&tips.base).await?;
        if let Some(tip) = &tips.head {
            whole = whole && mirror.holds(tip).await?;
        }
        if whole {
            return Ok(tips);
        }
        if tries == 3 {
            return Err(WorkspaceError {
                kind: WorkspaceErrorKind::Transient,
                message: format!("the branches of {} move faster than they can be fetched", mirror.repo),
            });
        }
    }
}
