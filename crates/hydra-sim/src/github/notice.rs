//! Refusals: status, message and the details that GitHub sends with them.

use serde_json::{Value, json};

/// An answer that is not a success, as REST gives it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub status: u16,
    pub message: String,
    pub errors: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 422 with one entry `{resource, field, code}`.
    pub(crate) fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let errors = json!([{ "resource": resource, "field": field, "code": code }]);
        Self { status: 422, message: "Validation Failed".into(), errors: Some(errors) }
    }

    /// 422 with one entry of code `custom` and a sentence.
    pub(crate) fn custom(resource: &str, message: &str) -> Self {
        let errors = json!([{ "resource": resource, "code": "custom", "message": message }]);
        Self { status: 422, message: "Validation Failed".into(), errors: Some(errors) }
    }

    /// 422 whose entries are sentences, as the review endpoints send it.
    pub(crate) fn sentences(sentences: &[&str]) -> Self {
        Self { status: 422, message: "Unprocessable Entity".into(), errors: Some(json!(sentences)) }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.to_string(),
        });
        if let (Some(errors), Some(map)) = (&self.errors, body.as_object_mut()) {
            map.insert("errors".into(), errors.clone());
        }
        body
    }
}

impl From<super::git::GitError> for Refusal {
    fn from(error: super::git::GitError) -> Self {
        Self::new(422, error.to_string())
    }
}
