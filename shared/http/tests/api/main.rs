//! The API over real connections and memory stores, byte by byte where the wire is the point.

mod bad_profiles;
mod download;
mod names;
mod overload;
mod stop;
mod upload;
mod wire;
mod world;
