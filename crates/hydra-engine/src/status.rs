//! What is, and why: read-only, without a lease, as versioned values for `--json`. And the operator's commands.
