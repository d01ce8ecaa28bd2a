//! Rows of the threat table in docs/security.md that a mode does not hold.

use super::Check;
use crate::config::runtime::EgressMode;

/// A row, the attack, and whether it is a residual of mode `isolated` too. Mode `in-container` holds none of them.
const NOT_HELD: [(u8, &str, bool); 14] = [
    (7, "an address without a name", false),
    (8, "an allowed name sent to the attacker's address", false),
    (9, "a tunnel to one name with another inside", false),
    (10, "an allowed name, and the `Host` of another (domain fronting)", true),
    (11, "a connection of HTTP/2 used for a second host", true),
    (12, "Encrypted ClientHello, and the records that announce it", false),
    (13, "no TLS on 443", false),
    (17, "data in a denied name given to the gate", false),
    (20, "an allowed name whose address changes", false),
    (21, "another name on an allowed address", false),
    (33, "smuggled requests, data before the answer", false),
    (35, "an upload without end", false),
    (36, "other paths, methods, models and sizes of the model API, a key of the agent's own", false),
    (37, "a credential in environment, processes, files, the engine's metadata", false),
];

/// What stays open in this mode, whatever was proved.
pub(super) fn check(mode: EgressMode) -> Check {
    let name = "egress: not held";
    let isolated = matches!(mode, EgressMode::Isolated);
    let rows: Vec<String> = NOT_HELD
        .iter()
        .filter(|(_, _, residual)| *residual || !isolated)
        .map(|(row, attack, _)| format!("{row}: {attack}"))
        .collect();
    let rows = rows.join("; ");
    if isolated {
        Check::ok(name, format!("residual, but for hosts that egress.inspect names: {rows} (docs/security.md)"))
    } else {
        let mend = "egress.mode = \"isolated\" holds them, 10 and 11 on hosts that egress.inspect names";
        Check::warn(name, format!("in mode in-container: {rows} (docs/security.md)"), mend)
    }
}

#[cfg(test)]
mod tests {
    use super::NOT_HELD;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!("../../../../docs/security.md");

    fn between(from: &str, to: &str) -> &'static str {
        DOCUMENT.split_once(from).unwrap().1.split_once(to).unwrap().0
    }

    #[test]
    fn the_rows_that_are_not_held_are_those_of_the_document() {
        let table = between("## The fence of mode `isolated`", "\n## ");
        let mut residual = BTreeSet::new();
        for line in table.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let Some((row, attack)) = cells[1].split_once(": ") else { continue };
            let Ok(row) = row.parse::<u8>() else { continue };
            if let Some((_, ours, _)) = NOT_HELD.iter().find(|(number, _, _)| *number == row) {
                assert_eq!(*ours, attack);
            }
            if cells[2].starts_with("residual") {
                residual.insert(row);
            }
        }
        let ours = NOT_HELD.iter().filter(|(_, _, residual)| *residual).map(|(row, _, _)| *row);
        assert_eq!(ours.collect::<BTreeSet<u8>>(), residual);
        // `(rows 8 to 13, 17, 21)`, `(row 20)`
        let mut named = BTreeSet::new();
        for part in between("**What this mode cannot hold.**", "\n\n").split("(row").skip(1) {
            let numbers = part.trim_start_matches('s').split_once(')').unwrap().0;
            for span in numbers.split(',') {
                let (from, to) = span.split_once(" to ").unwrap_or((span, span));
                named.extend(from.trim().parse::<u8>().unwrap()..=to.trim().parse().unwrap());
            }
        }
        assert_eq!(NOT_HELD.iter().map(|(row, _, _)| *row).collect::<BTreeSet<u8>>(), named);
    }
}
