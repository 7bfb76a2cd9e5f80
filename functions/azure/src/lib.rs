//! The server and the worker as a custom handler of Azure Functions.
