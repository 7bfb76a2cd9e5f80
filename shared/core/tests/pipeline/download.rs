//! The compact form is computed once for each version of each application's base, and never given to another; what is
//! over the limit on downloads is left to the store.

use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Kind, Result};
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::server::Downloaded;

use super::house::profile::{calls, identity};
use super::house::store::Op;
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

async fn ask(house: &House, app: &App, form: Form) -> Result<Downloaded> {
    house.server.download(app, form, &|_| false).await
}

#[tokio::test]
async fn a_download_over_the_limit_is_left_to_the_store() {
    let (house, app) = (House::new(), app("a"));
    house.upload(&app, calls(&["f"])).await;
    house.settle().await;
    let stat = house.blobs.stat("a/default.pgo").await.expect("looked").expect("a base");
    let capped = |most| house.restarted(Limits { download_bytes: most, ..Limits::default() });
    for form in [Form::Full, Form::Compact] {
        // At the limit, and one byte past it.
        let exactly = capped(stat.size);
        assert!(matches!(ask(&exactly, &app, form).await, Ok(Downloaded::Profile(_))), "{form:?}");
        let past = capped(if form == Form::Full { stat.size - 1 } else { 1 });
        let elsewhere = ask(&past, &app, form).await;
        assert!(
            matches!(&elsewhere, Ok(Downloaded::Elsewhere(signed)) if signed.url == "store:/a/default.pgo"),
            "{form:?}: {elsewhere:?}"
        );
        let known = past.server.download(&app, form, &|_| true).await;
        assert!(matches!(known, Ok(Downloaded::Unchanged { .. })), "{form:?}: {known:?}");
    }
    let missing = ask(&capped(1), &super::house::app("none"), Form::Full).await;
    assert_eq!(missing.expect_err("no profile").kind(), Kind::NotFound);

    // The empty base of a deleted application is no profile, whatever the limit.
    house.server.delete(&app).await.expect("deleted");
    assert_eq!(ask(&capped(1), &app, Form::Full).await.expect_err("deleted").kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_large_base_is_not_read_to_be_left_to_the_store() {
    let (house, app) = (House::new(), app("a"));
    // No profile, as nobody will look.
    house.blobs.put("a/default.pgo", vec![7; 2 << 20]);
    let capped = house.restarted(Limits { download_bytes: 1 << 20, ..Limits::default() });
    let elsewhere = ask(&capped, &app, Form::Full).await;
    assert!(matches!(elsewhere, Ok(Downloaded::Elsewhere(_))), "{elsewhere:?}");
    let known = capped.server.download(&app, Form::Full, &|etag| etag == "\"1\"").await;
    assert!(matches!(known, Ok(Downloaded::Unchanged { .. })), "{known:?}");
    assert_eq!((house.blobs.calls(Op::Stat, ""), house.blobs.calls(Op::Read, "")), (2, 0));

    // What cannot be left to anybody is sent; without a limit nobody looks it up first.
    house.blobs.sign_nothing();
    house.blobs.forget();
    assert!(matches!(ask(&capped, &app, Form::Full).await, Ok(Downloaded::Profile(_))));
    assert!(matches!(ask(&house, &app, Form::Full).await, Ok(Downloaded::Profile(_))));
    assert_eq!((house.blobs.calls(Op::Stat, ""), house.blobs.calls(Op::Read, "")), (1, 2));
}
