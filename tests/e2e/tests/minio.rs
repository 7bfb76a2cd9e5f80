//! Server and workers as processes of their own over one bucket of MinIO. No event reaches the workers, for a bus in
//! memory ends at its process: the sweep finds everything, and both workers sweep at once.

mod minio {
    mod crash;
    mod interop;
    mod large;
}

use autopgo_e2e::process::{Running, autopgo, free_address};

/// A server over `store`.
async fn server(store: &str, variables: &[(&str, &str)]) -> Running {
    start("server", store, &[], variables).await
}

/// A worker over `store` that sweeps all the time.
async fn worker(store: &str) -> Running {
    let sweeping = ["--event-reader-url", "mem://none", "--sweep-every", "300ms", "--sweep-after", "500ms"];
    start("worker", store, &sweeping, &[]).await
}

async fn start(command: &str, store: &str, more: &[&str], variables: &[(&str, &str)]) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let arguments = [command, "--blob-store-url", store, "--event-writer-url", "mem://none", "--port", &port];
    let mut command = autopgo(&[&arguments[..], more].concat());
    command.envs(variables.iter().copied());
    Running::start(command, address).await
}
