//! Holds what was sent and answered against GitHub's own published descriptions, so that the simulator cannot merely agree with itself.
