//! What conditional requests remember: an answer by its address, within a bound of bytes.

use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A remembered answer.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) etag: String,
    pub(crate) next: Option<String>,
    pub(crate) body: Bytes,
}

/// Answers of one token, the least recently used forgotten first.
#[derive(Debug)]
pub(crate) struct EtagCache {
    limit: usize,
    bytes: usize,
    tick: u64,
    entries: HashMap<Arc<str>, (u64, Remembered)>,
    ages: BTreeMap<u64, Arc<str>>,
}

impl EtagCache {
    /// At most `limit` bytes of bodies and addresses.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, tick: 0, entries: HashMap::new(), ages: BTreeMap::new() }
    }

    /// The answer of an address, if it is remembered.
    pub(crate) fn get(&mut self, url: &str) -> Option<Remembered> {
        let (age, found) = self.entries.get_mut(url)?;
        self.tick += 1;
        if let Some(url) = self.ages.remove(age) {
            self.ages.insert(self.tick, url);
        }
        *age = self.tick;
        Some(found.clone())
    }

    /// Remembers an answer; one that alone exceeds the bound is not.
    pub(crate) fn put(&mut self, url: &str, answer: Remembered) {
        self.forget(url);
        let size = weight(url, &answer);
        if size > self.limit {
            return;
        }
        self.tick += 1;
        self.bytes += size;
        let url: Arc<str> = url.into();
        self.ages.insert(self.tick, Arc::clone(&url));
        self.entries.insert(url, (self.tick, answer));
        while self.bytes > self.limit {
            let Some((_, oldest)) = self.ages.first_key_value() else { break };
            let oldest = oldest.clone();
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, url: &str) {
        if let Some((age, answer)) = self.entries.remove(url) {
            self.ages.remove(&age);
            self.bytes -= weight(url, &answer);
        }
    }
}

fn weight(url: &str, answer: &Remembered) -> usize {
    // 384 stands for the two maps' own: a slot of 128 bytes that may be half of the table, a place in a tree, and four allocations.
    384 + url.len() + answer.etag.len() + answer.body.len() + answer.next.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_when_the_bound_is_reached() {
        let answer = |n: usize| Remembered { etag: "e".into(), next: None, body: Bytes::from(vec![0; n]) };
        let mut cache = EtagCache::new(1_800);
        cache.put("a", answer(300));
        cache.put("b", answer(300));
        assert!(cache.get("a").is_some(), "touching a makes b the oldest");
        cache.put("c", answer(300));
        assert!(cache.get("b").is_none());
        assert!(cache.get("a").is_some() && cache.get("c").is_some());
        cache.put("huge", answer(5_000));
        assert!(cache.get("huge").is_none() && cache.get("a").is_some());
        assert!(cache.bytes <= 1_800);
    }
}
