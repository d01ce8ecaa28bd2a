//! The order that `depends_on` asks for, and the cycle where there is none.

use crate::ChangeName;
use std::collections::{BTreeMap, BTreeSet};

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// Changes wait for each other.
    #[error("the changes wait for each other: {}", path(.0))]
    Cycle(Vec<ChangeName>),
    /// A change depends on one that is not there.
    #[error("the change {change} depends on {missing}, which is not there{}", nearest.as_ref().map(|n| format!(" (did you mean {n}?)")).unwrap_or_default())]
    Unknown {
        /// Which change.
        change: ChangeName,
        /// What it names.
        missing: ChangeName,
        /// The nearest that there is.
        nearest: Option<ChangeName>,
    },
}

/// `a -> b -> a`.
fn path(names: &[ChangeName]) -> String {
    names.iter().map(ChangeName::as_str).collect::<Vec<_>>().join(" -> ")
}

/// Every change after those it depends on; by name where that leaves a choice.
///
/// # Errors
/// When a dependency is not there, or some wait for each other: then the cycle is named, beginning and ending with its first name.
pub fn order(graph: &BTreeMap<ChangeName, Vec<ChangeName>>) -> Result<Vec<ChangeName>, DependencyError> {
    for (change, needs) in graph {
        if let Some(missing) = needs.iter().find(|need| !graph.contains_key(need)) {
            let known: Vec<&str> = graph.keys().map(ChangeName::as_str).collect();
            let nearest = crate::diagnostic::nearest(missing.as_str(), &known).and_then(|name| name.parse().ok());
            return Err(DependencyError::Unknown { change: change.clone(), missing: missing.clone(), nearest });
        }
    }
    let mut sorted = Vec::with_capacity(graph.len());
    let mut done: BTreeSet<&ChangeName> = BTreeSet::new();
    // Depth first on a stack of our own: a chain of thousands must not overflow the program's.
    for start in graph.keys() {
        let mut stack: Vec<(&ChangeName, usize)> = if done.contains(start) { vec![] } else { vec![(start, 0)] };
        let mut open: BTreeSet<&ChangeName> = stack.iter().map(|(name, _)| *name).collect();
        while let Some((name, next)) = stack.last_mut() {
            let name = *name;
            let need = graph.get(name).and_then(|needs| needs.get(*next));
            *next += 1;
            match need {
                Some(need) if done.contains(need) => {}
                Some(need) if open.contains(need) => {
                    let from = stack.iter().position(|(n, _)| *n == need).unwrap_or_default();
                    let mut cycle: Vec<ChangeName> = stack[from..].iter().map(|(n, _)| (*n).clone()).collect();
                    cycle.push(need.clone());
                    return Err(DependencyError::Cycle(cycle));
                }
                Some(need) => {
                    open.insert(need);
                    stack.push((need, 0));
                }
                None => {
                    stack.pop();
                    open.remove(name);
                    done.insert(name);
                    sorted.push(name.clone());
                }
            }
        }
    }
    Ok(sorted)
}

/// Cycles of a graph, so that every one is broken when each of these is: mending them one by one would show the next only then.
/// Names that are not in the graph are passed over.
#[must_use]
pub fn cycles(graph: &BTreeMap<ChangeName, Vec<ChangeName>>) -> Vec<Vec<ChangeName>> {
    let inside = |needs: &Vec<ChangeName>| needs.iter().filter(|need| graph.contains_key(need)).cloned().collect();
    let mut left: BTreeMap<ChangeName, Vec<ChangeName>> =
        graph.iter().map(|(name, needs)| (name.clone(), inside(needs))).collect();
    let mut found = Vec::new();
    while let Err(DependencyError::Cycle(cycle)) = order(&left) {
        // The edge that closes it is taken out, so that there is one cycle less.
        if let [.., last, first] = cycle.as_slice()
            && let Some(needs) = left.get_mut(last)
        {
            needs.retain(|need| need != first);
        }
        found.push(cycle);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<ChangeName, Vec<ChangeName>> {
        edges
            .iter()
            .map(|(name, needs)| (name.parse().unwrap(), needs.iter().map(|n| n.parse().unwrap()).collect()))
            .collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let order = order(&graph(&[("a", &["c", "b"]), ("b", &["c"]), ("c", &[])])).unwrap();
        assert_eq!(order.iter().map(ChangeName::as_str).collect::<Vec<_>>(), ["c", "b", "a"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let error = order(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])).unwrap_err();
        assert_eq!(error.to_string(), "the changes wait for each other: b -> c -> b");
        let own = order(&graph(&[("a", &["a"])])).unwrap_err();
        assert_eq!(own.to_string(), "the changes wait for each other: a -> a");
    }

    #[test]
    fn every_cycle_is_named() {
        let graph = graph(&[("a", &["b", "gone"]), ("b", &["a"]), ("c", &["d"]), ("d", &["c"]), ("e", &["e", "a"])]);
        let named: Vec<String> = cycles(&graph).into_iter().map(|c| DependencyError::Cycle(c).to_string()).collect();
        let wait = |path: &str| format!("the changes wait for each other: {path}");
        assert_eq!(named, [wait("a -> b -> a"), wait("c -> d -> c"), wait("e -> e")]);
    }

    #[test]
    fn an_unknown_one_is_named_with_the_nearest() {
        let error = order(&graph(&[("add-login", &[]), ("b", &["add-lgin"])])).unwrap_err();
        assert_eq!(error.to_string(), "the change b depends on add-lgin, which is not there (did you mean add-login?)");
    }

    #[test]
    fn a_chain_of_fifty_thousand_is_ordered() {
        let name = |n: usize| format!("c{n}").parse::<ChangeName>().unwrap();
        let chain = (0..50_000).map(|n| (name(n), if n == 0 { vec![] } else { vec![name(n - 1)] })).collect();
        assert_eq!(order(&chain).unwrap()[0], name(0));
    }

    proptest! {
        #[test]
        fn an_order_keeps_every_edge_or_a_real_cycle_is_named(edges in proptest::collection::vec((0usize..8, 0usize..8), 0..16)) {
            let name = |n: usize| format!("c{n}").parse::<ChangeName>().unwrap();
            let mut graph: BTreeMap<ChangeName, Vec<ChangeName>> = (0..8).map(|n| (name(n), vec![])).collect();
            for (from, to) in edges { graph.get_mut(&name(from)).unwrap().push(name(to)); }
            match order(&graph) {
                Ok(sorted) => {
                    let at = |n: &ChangeName| sorted.iter().position(|s| s == n).unwrap();
                    for (change, needs) in &graph { for need in needs { prop_assert!(at(need) < at(change)); } }
                    prop_assert_eq!(sorted.len(), 8);
                }
                Err(DependencyError::Cycle(cycle)) => {
                    prop_assert_eq!(cycle.first(), cycle.last());
                    for pair in cycle.windows(2) { prop_assert!(graph[&pair[0]].contains(&pair[1])); }
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
