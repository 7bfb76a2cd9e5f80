//! The server and the worker as services of Cloud Run.
