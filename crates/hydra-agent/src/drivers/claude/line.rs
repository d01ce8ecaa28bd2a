//! The shapes of a claude-code stream line, as far as Hydra reads them. Everything is optional: versions differ.

use crate::drivers::decode::{Size, Text};
use hydra_core::Tokens;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) subtype: Text<'a>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) event: Option<StreamEvent<'a>>,
    #[serde(borrow)]
    pub(super) parent_tool_use_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) claude_code_version: Text<'a>,
    #[serde(borrow, default)]
    pub(super) error: Text<'a>,
    pub(super) error_status: Option<u16>,
    pub(super) rate_limit_info: Option<RateLimit>,
    // The result.
    #[serde(default)]
    pub(super) is_error: bool,
    pub(super) api_error_status: Option<u16>,
    #[serde(borrow, default)]
    pub(super) result: Text<'a>,
    #[serde(borrow, default)]
    pub(super) stop_reason: Text<'a>,
    pub(super) usage: Option<Usage>,
    #[serde(rename = "modelUsage")]
    pub(super) model_usage: Option<BTreeMap<String, ModelUsage>>,
    #[serde(default)]
    pub(super) errors: Vec<String>,
    #[serde(borrow, default)]
    pub(super) permission_denials: Vec<Denial<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) content: Blocks<'a>,
    pub(super) usage: Option<Usage>,
}

/// A message's blocks; plain text in their place (what a person or the CLI itself says) reads as none.
#[derive(Default)]
pub(super) struct Blocks<'a>(pub(super) Vec<Block<'a>>);

struct BlocksVisitor;

impl<'de> Visitor<'de> for BlocksVisitor {
    type Value = Blocks<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blocks or text")
    }
    fn visit_str<E>(self, _: &str) -> Result<Blocks<'de>, E> {
        Ok(Blocks::default())
    }
    fn visit_unit<E>(self) -> Result<Blocks<'de>, E> {
        Ok(Blocks::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blocks<'de>, A::Error> {
        let mut blocks = Vec::new();
        while let Some(block) = seq.next_element()? {
            blocks.push(block);
        }
        Ok(Blocks(blocks))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blocks<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlocksVisitor)
    }
}

#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) input: Option<Input<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_use_id: Text<'a>,
    #[serde(default)]
    pub(super) content: Size,
    pub(super) is_error: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) file_path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) notebook_path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) command: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct StreamEvent<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
}

impl Usage {
    /// These counts, where stated, over the ones so far: a response's counts only grow.
    pub(super) fn over(self, so_far: Tokens) -> Tokens {
        Tokens {
            input: so_far.input.max(self.input_tokens.unwrap_or(0)),
            output: so_far.output.max(self.output_tokens.unwrap_or(0)),
            cache_read: so_far.cache_read.max(self.cache_read_input_tokens.unwrap_or(0)),
            cache_write: so_far.cache_write.max(self.cache_creation_input_tokens.unwrap_or(0)),
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct ModelUsage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cache_read_input_tokens: u64,
    pub(super) cache_creation_input_tokens: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateLimit {
    #[serde(default)]
    pub(super) status: String,
    pub(super) resets_at: Option<i64>,
    #[serde(default)]
    pub(super) rate_limit_type: String,
}

#[derive(Deserialize)]
pub(super) struct Denial<'a> {
    #[serde(borrow, default)]
    pub(super) tool_name: Text<'a>,
}
