//! One bus and one bucket between autopgo and the Go original: what either publishes the other understands, and what
//! either stores the other finds. The original's side is `tests/oracle/original`: the same packages of gocloud.dev, used
//! in the same way. The bucket is on MinIO, and nothing is swept: only events make anything happen.

mod interop {
    mod bucket;
    mod bus;
    mod partitions;
    mod rig;
    mod stories;
}
