//! Holds what was sent and answered against GitHub's own published descriptions, so that the simulator cannot merely agree with itself.
//!
//! `cargo xtask contracts` fetches them into `target/contracts`; `HYDRA_CONTRACTS` names another folder.

mod graphql;
mod openapi;
mod shape;

use crate::github::Record;
use openapi::OpenApi;
use serde_json::Value;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The descriptions could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("GitHub's descriptions cannot be read: {0} (fetch them with `cargo xtask contracts`)")]
pub struct ContractError(String);

/// What was checked, and everything that did not fit.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Requests held against the OpenAPI description.
    pub requests: usize,
    /// Answers held against the OpenAPI description.
    pub responses: usize,
    /// Answers to REST errors that GitHub gives everywhere but describes only in places (401, 403, 404, 409, 410, 422, 429),
    /// held against its general error shapes.
    pub general_errors: usize,
    /// GraphQL documents validated against the schema.
    pub graphql_documents: usize,
    /// GraphQL answers whose data was held against the schema.
    pub graphql_responses: usize,
    /// One line for everything that did not fit: unknown path, parameter or status, violated schema, invalid document.
    pub unmatched: Vec<String>,
}

impl Report {
    /// Nothing was found wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unmatched.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} REST requests, {} REST answers ({} general errors), {} GraphQL documents, {} GraphQL answers, {} unmatched",
            self.requests,
            self.responses,
            self.general_errors,
            self.graphql_documents,
            self.graphql_responses,
            self.unmatched.len()
        )?;
        for line in &self.unmatched {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// Both descriptions, loaded.
pub struct Contracts {
    openapi: OpenApi,
    graphql: graphql::Schema,
}

impl fmt::Debug for Contracts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contracts").finish_non_exhaustive()
    }
}

/// The folder that holds `api.github.com.json` and `schema.graphql`.
#[must_use]
pub fn folder() -> PathBuf {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/contracts");
    std::env::var_os("HYDRA_CONTRACTS").map_or_else(workspace, PathBuf::from)
}

/// Loads both descriptions once for the process.
///
/// # Errors
/// When a file is missing or is not what it is named.
pub fn load() -> Result<&'static Contracts, ContractError> {
    static LOADED: OnceLock<Result<Contracts, ContractError>> = OnceLock::new();
    let read = |name: &str| {
        let path = folder().join(name);
        fs::read_to_string(&path).map_err(|e| ContractError(format!("{}: {e}", path.display())))
    };
    let load = || {
        let description: Value = serde_json::from_str(&read("api.github.com.json")?)
            .map_err(|e| ContractError(format!("api.github.com.json: {e}")))?;
        let graphql = graphql::Schema::parse(&read("schema.graphql")?).map_err(ContractError)?;
        Ok(Contracts { openapi: OpenApi::new(description), graphql })
    };
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// Checks records of a simulator.
///
/// # Errors
/// When the descriptions cannot be loaded; what does not fit is in the report.
pub fn check(records: &[Record]) -> Result<Report, ContractError> {
    let contracts = load()?;
    let mut report = Report::default();
    for record in records {
        if record.path == "/graphql" {
            contracts.graphql.check(record, &mut report);
        } else {
            contracts.openapi.check(record, &mut report);
        }
    }
    Ok(report)
}

/// Checks what the simulators of a whole test run kept: every `.jsonl` file of the folder that `HYDRA_SIM_RECORDS` named.
///
/// # Errors
/// When the descriptions or a file cannot be read, or there is none.
pub fn check_folder(folder: &Path) -> Result<Report, ContractError> {
    let wrong = |path: &Path, why: String| ContractError(format!("{}: {why}", path.display()));
    let mut records: Vec<Record> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| wrong(folder, e.to_string()))? {
        let path = entry.map_err(|e| wrong(folder, e.to_string()))?.path();
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|e| wrong(&path, e.to_string()))?;
        for line in text.lines() {
            records.push(serde_json::from_str(line).map_err(|e| wrong(&path, e.to_string()))?);
        }
    }
    if records.is_empty() {
        return Err(wrong(folder, "no traffic was kept".to_owned()));
    }
    check(&records)
}

/// Validates one GraphQL document; returns what is wrong with it.
///
/// # Errors
/// When the descriptions cannot be loaded.
pub fn check_document(document: &str) -> Result<Option<String>, ContractError> {
    Ok(load()?.graphql.validate(document).err())
}
