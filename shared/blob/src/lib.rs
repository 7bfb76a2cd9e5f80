//! Blob stores by URL.
