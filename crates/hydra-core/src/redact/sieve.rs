//! A sieve before the full search: most lines hold nothing that even begins like a secret, and that can be told at several bytes a
//! cycle. What the sieve stops is searched in full; what it lets through holds no needle at all.
//!
//! Of each needle a window of four bytes is chosen, the rarest one. Of its two runs of three bytes one begins at an even place of any
//! text that holds the needle, so every second place is looked up in a table of bits; a hit is held against the windows, and what is
//! left is compared with the needle.

/// Places of a table, as a power of two: two of 32 KiB stay in the near caches.
const BITS: u32 = 15;
const PLACES: usize = 1 << BITS;

/// A set of texts of so many bytes that may say yes to one that is not in it, and never no to one that is.
struct Table<const LENGTH: u32>(Box<[bool; PLACES]>);

impl<const LENGTH: u32> Table<LENGTH> {
    fn of(members: impl Iterator<Item = u32>) -> Self {
        let mut places = Box::new([false; PLACES]);
        for member in members {
            places[Self::place(member)] = true;
        }
        Self(places)
    }
    /// The lowest bytes are looked up, the first of the text lowest; what stands above them does not matter.
    fn knows(&self, bytes: u32) -> bool {
        self.0[Self::place(bytes)]
    }
    /// A product's upper bits depend on all bytes, and bytes above the wanted ones are shifted out.
    const fn place(bytes: u32) -> usize {
        (bytes.wrapping_mul(0x9e37_79b1 << (32 - 8 * LENGTH)) >> (32 - BITS)) as usize
    }
}

/// One run of three bytes that gives a needle away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    /// The three bytes, the first lowest.
    run: u32,
    /// Which needle.
    needle: u32,
    /// Where in the needle the run begins.
    offset: u32,
}

/// The sieve over one set of needles.
pub(super) struct Sieve {
    runs: Table<3>,
    /// The windows that the runs are parts of.
    windows: Table<4>,
    /// In order, for a search by halves.
    marks: Vec<Mark>,
    needles: Vec<Option<Box<[u8]>>>,
    /// A needle is too short for a mark: then everything is stopped.
    blunt: bool,
}

impl Sieve {
    /// From needles of three bytes or more; `None` stands for one that is looked for elsewhere.
    pub(super) fn new<'n>(needles: impl IntoIterator<Item = Option<&'n [u8]>>) -> Self {
        let needles: Vec<Option<Box<[u8]>>> = needles.into_iter().map(|needle| needle.map(Box::from)).collect();
        let (mut marks, mut windows, mut blunt) = (Vec::new(), Vec::new(), false);
        for (index, needle) in (0u32..).zip(&needles) {
            let Some(needle) = needle else { continue };
            let mut mark = |run: [u8; 3], offset: usize| {
                let offset = u32::try_from(offset).unwrap_or_default();
                marks.push(Mark { run: u32::from_le_bytes([run[0], run[1], run[2], 0]), needle: index, offset });
            };
            match **needle {
                [] | [_] | [_, _] => blunt = true,
                // Whatever follows: all there is.
                [a, b, c] => {
                    mark([a, b, c], 0);
                    for any in 0..=u8::MAX {
                        mark([b, c, any], 1);
                        windows.push(u32::from_le_bytes([a, b, c, any]));
                    }
                }
                _ => {
                    let all = needle.windows(4).enumerate();
                    let rarest = all.min_by_key(|(_, window)| window.iter().map(|b| commonness(*b)).sum::<u32>());
                    if let Some((at, [a, b, c, d])) = rarest {
                        mark([*a, *b, *c], at);
                        mark([*b, *c, *d], at + 1);
                        windows.push(u32::from_le_bytes([*a, *b, *c, *d]));
                    }
                }
            }
        }
        marks.sort_unstable();
        let runs = Table::of(marks.iter().map(|mark| mark.run));
        Self { runs, windows: Table::of(windows.into_iter()), marks, needles, blunt }
    }

    /// Whether a needle stands in the text for which `is_one(needle, start, end)` holds.
    pub(super) fn any(&self, text: &[u8], mut is_one: impl FnMut(usize, usize, usize) -> bool) -> bool {
        if self.blunt {
            return true;
        }
        let mut at = 0;
        // Eight bytes hold three runs, each two after the other.
        while let Some((eight, _)) = text.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
            let eight = u64::from_le_bytes(*eight);
            let runs = [eight as u32, (eight >> 16) as u32, (eight >> 32) as u32];
            let [first, second, third] = runs.map(|run| self.runs.knows(run));
            if first | second | third {
                for (run, place) in runs.into_iter().zip([at, at + 2, at + 4]) {
                    if self.runs.knows(run) && self.in_window(text, place) && self.stands(text, run, place, &mut is_one)
                    {
                        return true;
                    }
                }
            }
            at += 6;
        }
        // The last few bytes, place by place. One back: a needle of three bytes may end the text where nothing follows it.
        (at.saturating_sub(1)..text.len().saturating_sub(2)).any(|at| match text[at..] {
            [a, b, c, ..] => {
                let run = u32::from_le_bytes([a, b, c, 0]);
                self.runs.knows(run) && self.in_window(text, at) && self.stands(text, run, at, &mut is_one)
            }
            _ => false,
        })
    }

    /// Whether the run at a place is the first or the second one of a window.
    fn in_window(&self, text: &[u8], place: usize) -> bool {
        let window = |at: usize| {
            let four = text.get(at..).and_then(<[u8]>::first_chunk::<4>);
            four.is_none_or(|four| self.windows.knows(u32::from_le_bytes(*four)))
        };
        window(place) || place.checked_sub(1).is_some_and(window)
    }

    #[inline(never)]
    fn stands(&self, text: &[u8], run: u32, at: usize, is_one: &mut impl FnMut(usize, usize, usize) -> bool) -> bool {
        let run = run & 0xff_ffff;
        let first = self.marks.partition_point(|mark| mark.run < run);
        self.marks[first..].iter().take_while(|mark| mark.run == run).any(|mark| {
            let index = mark.needle as usize;
            let Some(needle) = self.needles.get(index).and_then(Option::as_deref) else { return false };
            let Some(start) = at.checked_sub(mark.offset as usize) else { return false };
            text[start..].starts_with(needle) && is_one(index, start, start + needle.len())
        })
    }
}

/// How often a byte is met in what agents write, roughly.
const fn commonness(byte: u8) -> u32 {
    match byte {
        b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'a'..=b'z' => 6,
        b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' | b'"' | b'\\' => 4,
        b'A'..=b'Z' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rarest_part_of_a_needle_gives_it_away() {
        let sieve = Sieve::new([Some(b"Bearer ".as_slice())]);
        assert_eq!(sieve.marks.iter().map(|mark| mark.offset).collect::<Vec<_>>(), [0, 1]);
        assert!(!sieve.any(b"the Bear rests", |_, _, _| true));
    }

    #[test]
    fn what_is_refused_is_looked_for_further_on() {
        let sieve = Sieve::new([Some(b"hf_".as_slice()), None, Some(b"abcdef".as_slice())]);
        let mut seen = Vec::new();
        assert!(!sieve.any(b"hf_ xhf_abcdefhf_", |needle, start, end| {
            seen.push((needle, start, end));
            false
        }));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [(0, 0, 3), (0, 5, 8), (0, 14, 17), (2, 8, 14)]);
    }

    #[test]
    fn a_needle_without_a_mark_stops_everything() {
        assert!(Sieve::new([Some(b"ab".as_slice())]).any(b"xyz", |_, _, _| false));
    }

    proptest! {
        #[test]
        fn no_needle_gets_through(
            needles in prop::collection::vec("[ab_]{3,9}", 1..6),
            text in "[ab_]{0,60}",
        ) {
            let sieve = Sieve::new(needles.iter().map(|needle| Some(needle.as_bytes())));
            let mut found = std::collections::BTreeSet::new();
            sieve.any(text.as_bytes(), |needle, start, _| {
                found.insert((needle, start));
                false
            });
            let all = needles.iter().enumerate().flat_map(|(index, needle)| {
                let text = &text;
                (0..text.len()).filter(move |at| text[*at..].starts_with(needle.as_str())).map(move |at| (index, at))
            });
            prop_assert_eq!(found, all.collect());
        }
    }
}
