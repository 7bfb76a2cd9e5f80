//! The server and the worker as functions of AWS Lambda.

pub mod emf;
