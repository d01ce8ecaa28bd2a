//! The scripted model API: answers the Messages protocol from a script, so that the demo and the tests need no key.
