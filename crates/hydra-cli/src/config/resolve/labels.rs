//! `pipeline.trigger_label` and `pipeline.label_prefix`: what GitHub takes, and none of Hydra's own names.

use super::Pass;

/// What the longest of Hydra's own labels leaves of GitHub's 50 characters.
const LONGEST_PREFIX: usize = 27;

/// What may stand there.
const NAME: &str = "choose a name of its own, such as ready-to-build";

pub(super) fn check(pass: &mut Pass<'_>) {
    let pipeline = &pass.values.pipeline;
    let (label, prefix) = (&pipeline.trigger_label, &pipeline.label_prefix);
    if label.trim().is_empty() {
        pass.report("pipeline.trigger_label", "it may not be empty", NAME);
    }
    for (key, text) in [("pipeline.trigger_label", label), ("pipeline.label_prefix", prefix)] {
        if text.contains(',') || text.chars().any(char::is_control) || text.trim() != text {
            pass.report(key, "it may not hold commas or control characters, nor white space at its ends", NAME);
        }
    }
    // GitHub's limit is 50 characters.
    if prefix.chars().count() + label.chars().count() > 50 || prefix.chars().count() > LONGEST_PREFIX {
        let why = "labels would be longer than the 50 characters that GitHub allows";
        let help = format!("a prefix has {LONGEST_PREFIX} characters at most, and 50 together with the trigger label");
        pass.report("pipeline.label_prefix", why, help);
    }
    // GitHub does not tell `Done` from `done`.
    let own = hydra_core::label::vocabulary("");
    if let Some(row) = own.iter().find(|row| !row.name.is_empty() && row.name.eq_ignore_ascii_case(label)) {
        let why = format!("`{}` means something else to Hydra already ({})", row.name, row.description);
        pass.report("pipeline.trigger_label", why, NAME);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_longest_label_of_hydras_own_fits_behind_the_longest_prefix() {
        let own = hydra_core::label::vocabulary("");
        assert!(own.iter().all(|row| row.name.chars().count() + super::LONGEST_PREFIX <= 50));
    }
}
