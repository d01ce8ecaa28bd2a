//! The small coding agent of the simulator: carries out what the scripted model answers with, so that the demo needs no Node.
