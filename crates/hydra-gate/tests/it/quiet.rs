//! A model API that falls silent: the agent is told, what it got is counted, and its place is free for the next.

use crate::api::BODY;
use crate::upstreams::{Does, FINE, STARTED, ask, model, takes_a_little};
use hydra_core::egress::gate::GateLine;
use std::{
    io::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

/// Longer than the gate of a test waits.
const FOR_EVER: Duration = Duration::from_secs(120);
/// What that gate waits, as its configuration has it, and what the rest may take.
const WAITED: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(10);

#[test]
#[ignore = "needs namespaces"]
fn a_model_api_that_never_answers_is_an_error_and_one_that_falls_silent_ends_the_answer() {
    let cases: [(Does, &str, bool, u64); 2] = [
        (
            |mut stream| {
                takes_a_little(&mut stream)?;
                sleep(FOR_EVER);
                Ok(())
            },
            "the model API has not answered within 3 s",
            true,
            // It has the prompt, and may charge for it.
            (BODY.len() / 4) as u64,
        ),
        (
            |mut stream| {
                takes_a_little(&mut stream)?;
                stream.write_all(format!("{FINE}Content-Length: 100000\r\n\r\n{STARTED}").as_bytes())?;
                sleep(FOR_EVER);
                Ok(())
            },
            "input_tokens",
            false,
            100,
        ),
    ];
    for (does, says, whole, counted) in cases {
        let mut world = model(does);
        let begun = Instant::now();
        let (said, ended) = ask(&world, usize::MAX);
        assert!(WAITED.contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(said.contains(says), "{said}");
        // A part of an answer is never taken for a whole one.
        let length = said.find("\r\n\r\n").map(|at| said.len() - at - 4).unwrap();
        assert_eq!(ended.is_ok() && said.to_lowercase().contains(&format!("content-length: {length}\r\n")), whole);
        let GateLine::Report { tokens, .. } = world.report() else { panic!() };
        assert_eq!(tokens.input, counted);
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_model_that_takes_its_time_between_two_pieces_is_waited_for() {
    let world = model(|mut stream| {
        takes_a_little(&mut stream)?;
        let length = STARTED.len() * 4;
        stream.write_all(format!("{FINE}Content-Length: {length}\r\n\r\n").as_bytes())?;
        // Longer than is waited for one piece, all together.
        for _ in 0..4 {
            sleep(Duration::from_millis(1_200));
            stream.write_all(STARTED.as_bytes())?;
        }
        Ok(())
    });
    let (said, ended) = ask(&world, usize::MAX);
    assert!(ended.is_ok() && said.matches("input_tokens").count() == 4, "{said}");
}
