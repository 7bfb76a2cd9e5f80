//! The compact form is computed once for each version of each application's base, and never given to another.

use autopgo_core::api::Form;
use autopgo_core::server::Downloaded;

use super::house::profile::{calls, identity};
use super::house::{House, app};

#[tokio::test]
async fn the_compact_form_belongs_to_one_application_and_one_version() {
    let house = House::new();
    let names = ["a", "b"];
    for name in names {
        house.upload(&app(name), calls(&[name])).await;
    }
    house.settle().await;
    // Both bases are the first write of their key: a store's versions may well be the same.
    let mut versions = Vec::new();
    for name in names {
        versions.push(house.host.store.base(&app(name)).await.expect("read").expect("a base").version);
    }
    assert_eq!(versions[0], versions[1]);

    let mut etags = Vec::new();
    for round in 0..3 {
        for name in names {
            let before = house.cpu.jobs();
            let (small, etag) = house.download(&app(name), Form::Compact).await.expect("a profile");
            assert_eq!(identity(&small), identity(&house.base(&app(name)).await.0), "{name}");
            assert_eq!(etag, format!("W/\"{}\"", identity(&small)));
            assert_eq!(house.cpu.jobs() - before, usize::from(round == 0), "{name}, round {round}");
            etags.push(etag);
        }
    }
    assert_ne!(etags[0], etags[1]);
    assert!(etags.chunks(2).all(|round| round == &etags[..2]));

    // A client that has it is told so, without computing it either.
    let before = house.cpu.jobs();
    let known = house.server.download(&app("a"), Form::Compact, &|etag| etag == etags[0]).await;
    assert!(matches!(known, Ok(Downloaded::Unchanged { etag }) if etag == etags[0]));
    assert_eq!(house.cpu.jobs(), before);
}

#[tokio::test]
async fn another_version_is_computed_anew_and_a_deleted_one_is_not_served() {
    let (house, app) = (House::new(), app("a"));
    let mut identities = Vec::new();
    for function in ["f", "g"] {
        house.upload(&app, calls(&[function])).await;
        house.settle().await;
        let (small, _) = house.download(&app, Form::Compact).await.expect("a profile");
        assert_eq!(identity(&small), identity(&house.base(&app).await.0));
        identities.push(identity(&small));
    }
    assert_ne!(identities[0], identities[1]);
    house.server.delete(&app).await.expect("deleted");
    house.download(&app, Form::Compact).await.expect_err("deleted");
    house.upload(&app, calls(&["f"])).await;
    house.settle().await;
    let (small, _) = house.download(&app, Form::Compact).await.expect("a profile");
    assert_eq!(identity(&small), identities[0]);
}
