//! Stages, container types and token roles: one table, from which every name is derived.

macro_rules! closed {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }
        impl $name {
            /// Every value, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The name that people, labels, files and variables use.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::stage::UnknownName;
            fn from_str(text: &str) -> ::std::result::Result<Self, $crate::stage::UnknownName> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| $crate::stage::UnknownName {
                    what: $what, text: text.chars().take(100).collect(), known: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}
pub(crate) use closed;

/// A name that the table does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {text:?}: it is one of {known}")]
pub struct UnknownName {
    /// The kind of thing.
    pub what: &'static str,
    /// What was asked for.
    pub text: String,
    /// All that there are, joined by commas.
    pub known: String,
}

closed!(
    /// What one job does. The text is `HYDRA_MODE`.
    Stage, "stage" {
    /// The builder implements the change.
    Build = "build",
    /// The target repository's own commands judge the head.
    Quality = "quality",
    /// The builder mends what quality found.
    FixQuality = "fix-quality",
    /// The code reviewer judges the head.
    CodeReview = "code-review",
    /// The security reviewer judges the head.
    SecurityReview = "security-review",
    /// The builder mends the blocking findings of the reviews.
    Fix = "fix",
    /// The applier says go or no-go.
    Apply = "apply",
});

closed!(
    /// The kind of container a job runs in: egress policy and image hang on it.
    ContainerType, "container type" {
    /// Builds, fixes.
    Builder = "builder",
    /// Runs the target's own commands; no model, no credential.
    Quality = "quality",
    /// Code review.
    Reviewer = "reviewer",
    /// Security review.
    Security = "security",
    /// Go or no-go.
    Applier = "applier",
});

closed!(
    /// Whose GitHub token: a key of `git_tokens`.
    TokenRole, "token role" {
    /// Pushes branches and opens draft pull requests.
    Builder = "builder",
    /// Posts the code review.
    Reviewer = "reviewer",
    /// Posts the security review.
    Security = "security",
    /// Posts the go or no-go.
    Applier = "applier",
    /// Labels, board, leases, statuses, the status comment.
    Orchestrator = "orchestrator",
});

impl TokenRole {
    /// The variable that mirrors it, `HYDRA_<ROLE>_TOKEN`.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Builder => "HYDRA_BUILDER_TOKEN",
            Self::Reviewer => "HYDRA_REVIEWER_TOKEN",
            Self::Security => "HYDRA_SECURITY_TOKEN",
            Self::Applier => "HYDRA_APPLIER_TOKEN",
            Self::Orchestrator => "HYDRA_ORCHESTRATOR_TOKEN",
        }
    }
}

impl Stage {
    /// The label group: what stands before the colon of its labels.
    #[must_use]
    pub const fn label_group(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Quality | Self::FixQuality => "quality",
            Self::CodeReview => "code-review",
            Self::SecurityReview => "security-review",
            Self::Fix => "fix",
            Self::Apply => "applier",
        }
    }
    /// The container it runs in.
    #[must_use]
    pub const fn container(self) -> ContainerType {
        match self {
            Self::Build | Self::FixQuality | Self::Fix => ContainerType::Builder,
            Self::Quality => ContainerType::Quality,
            Self::CodeReview => ContainerType::Reviewer,
            Self::SecurityReview => ContainerType::Security,
            Self::Apply => ContainerType::Applier,
        }
    }
    /// Whose token its results are published with; quality has no persona and is published by the orchestrator.
    #[must_use]
    pub const fn token(self) -> TokenRole {
        match self {
            Self::Build | Self::FixQuality | Self::Fix => TokenRole::Builder,
            Self::Quality => TokenRole::Orchestrator,
            Self::CodeReview => TokenRole::Reviewer,
            Self::SecurityReview => TokenRole::Security,
            Self::Apply => TokenRole::Applier,
        }
    }
    /// Whether an agent (a model) runs in it.
    #[must_use]
    pub const fn has_agent(self) -> bool {
        !matches!(self, Self::Quality)
    }
    /// Whether it writes commits.
    #[must_use]
    pub const fn writes_code(self) -> bool {
        matches!(self, Self::Build | Self::FixQuality | Self::Fix)
    }
    /// Whether it ends in a verdict.
    #[must_use]
    pub const fn judges(self) -> bool {
        matches!(self, Self::CodeReview | Self::SecurityReview | Self::Apply)
    }
    /// The name of the commit status that stands for it, where it has one.
    #[must_use]
    pub const fn status_context(self) -> Option<&'static str> {
        match self {
            Self::Quality | Self::FixQuality => Some("hydra/quality"),
            Self::CodeReview => Some("hydra/code-review"),
            Self::SecurityReview => Some("hydra/security-review"),
            Self::Apply => Some("hydra/apply"),
            Self::Build | Self::Fix => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse::<Stage>().as_ref(), Ok(stage));
        }
        for kind in ContainerType::ALL {
            assert_eq!(kind.as_str().parse::<ContainerType>().as_ref(), Ok(kind));
        }
        for role in TokenRole::ALL {
            assert_eq!(role.as_str().parse::<TokenRole>().as_ref(), Ok(role));
        }
        assert!("builds".parse::<Stage>().is_err());
    }
}
