//! Side services of the job: it begins when each of them answers.

use hydra_core::contract_files::ServicePort;
use std::{
    net::{Ipv4Addr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a service may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);
const ONE: Duration = Duration::from_secs(2);

/// Waits for all of them.
pub(crate) fn wait(services: &[ServicePort]) -> Result<(), String> {
    wait_for(services, PATIENCE)
}

fn wait_for(services: &[ServicePort], patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    for ServicePort { name, port } in services {
        let at = (Ipv4Addr::LOCALHOST, *port).into();
        while let Err(error) = TcpStream::connect_timeout(&at, ONE) {
            if begun.elapsed() > patience {
                return Err(format!(
                    "the side service {name} does not answer at 127.0.0.1:{port} after {} s: {error}",
                    patience.as_secs()
                ));
            }
            sleep(TICK);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_service_that_answers_is_waited_for_and_one_that_does_not_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = [ServicePort { name: "db".into(), port }];
        assert_eq!(wait_for(&service, Duration::ZERO), Ok(()));
        drop(listener);
        let why = wait_for(&service, Duration::ZERO).unwrap_err();
        assert!(
            why.starts_with(&format!("the side service db does not answer at 127.0.0.1:{port} after 0 s: ")),
            "{why}"
        );
    }
}
