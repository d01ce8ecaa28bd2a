//! Bad secrets: each a clear error that names the cause and the next step, a non-zero exit, nothing written.
