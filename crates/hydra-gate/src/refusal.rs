//! What a refused request is answered, by whichever door it came.

use hydra_core::egress::DenyReason;

/// The sentence stands where npm and others look for one that they can print.
pub(crate) fn document(reason: DenyReason, what: &str) -> serde_json::Value {
    let message = format!(
        "{what} is refused by the egress fence of this job ({reason}); `hydra egress denials` says what would open it"
    );
    serde_json::json!({ "error": message, "type": "egress_denied", "reason": reason, "host": what })
}
