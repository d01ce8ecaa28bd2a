//! A Projects v2 board.

use super::ForgeError;
use crate::{IssueKey, view::Card};
use async_trait::async_trait;

/// The board. Absent fields and unseen items are errors or left out by name, never read as empty.
#[async_trait]
pub trait Board: Send + Sync {
    /// Every issue on it, all pages; an error on any page is an error of the whole.
    async fn cards(&self) -> Result<Vec<Card>, ForgeError>;
    /// The names of the columns (the options of the status field), in their order.
    async fn columns(&self) -> Result<Vec<String>, ForgeError>;
    /// Moves the issue's card to a column, adding it if it is not on the board. Nothing is written when it is there already. Returns whether anything was.
    async fn place(&self, issue: &IssueKey, column: &str) -> Result<bool, ForgeError>;
}
