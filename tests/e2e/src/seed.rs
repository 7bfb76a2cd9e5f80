//! Chance that can be repeated.

/// Chance from a seed that is printed; `AUTOPGO_TEST_SEED` sets it.
pub fn random() -> fastrand::Rng {
    let seed = std::env::var("AUTOPGO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("AUTOPGO_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
