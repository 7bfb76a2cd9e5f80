//! Requests that anyone may send who has the URL, by a client that knows nothing of the store. Where a store signs
//! nothing, that is what it must say.

use std::time::{Duration, Instant};

use autopgo_core::port::blobs::Signed;

use super::{Harness, holds, holds_nothing, put};
use crate::verdict::{Broken, Verdict, ensure, same};

const LASTS: Duration = Duration::from_secs(60);

/// Keys as they are, and keys that an URL has to escape.
const KEYS: [&str; 3] =
    ["app/incoming/1730075435311000000-00c0ffee", "a b/c+d%2F?x=1&y#z", "d\u{e9}j\u{e0}/vu"];

pub(super) async fn a_signed_put_is_anybodys(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for key in KEYS {
        let Some(signed) = signed(harness, store.sign_put(key, 5, LASTS).await?)? else { return Ok(()) };
        for bytes in ["first", "again"] {
            is_taken("a signed PUT", &send("PUT", &signed, bytes.as_bytes()).await?)?;
            holds(&*store, key, bytes.as_bytes()).await?;
        }
        let empty = signed_put(harness, key, 0).await?;
        is_taken("a signed PUT of nothing", &send("PUT", &empty, b"").await?)?;
        holds(&*store, key, b"").await?;
    }
    Ok(())
}

pub(super) async fn a_signed_get_is_anybodys(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let gzip =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00";
    for key in KEYS {
        // Signed before it is there.
        let Some(signed) = signed(harness, store.sign_get(key, LASTS).await?)? else { return Ok(()) };
        same("the answer for what is not there", &send("GET", &signed, b"").await?.status, &404)?;
        put(&*store, key, gzip.to_vec()).await?;
        let answer = send("GET", &signed, b"").await?;
        is_taken("a signed GET", &answer)?;
        ensure(answer.bytes == gzip, || format!("{key}: the bytes are others than those written"))?;
    }
    Ok(())
}

pub(super) async fn a_signature_ends(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/1", "kept").await?;
    let begun = Instant::now();
    let short = Duration::from_secs(1);
    let Some(get) = signed(harness, store.sign_get("app/1", short).await?)? else { return Ok(()) };
    let Some(put) = signed(harness, store.sign_put("app/1", 4, short).await?)? else { return Ok(()) };
    for (verb, signed) in [("GET", get), ("PUT", put)] {
        // Its last second may last two, and the clocks may differ.
        let deadline = short + Duration::from_secs(1) + harness.skew();
        while !refused(&send(verb, &signed, if verb == "PUT" { b"kept" } else { b"" }).await?) {
            ensure(begun.elapsed() < deadline, || {
                format!("a {verb} signed for {short:?} is taken after {deadline:?}")
            })?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // And not because it refuses whatever comes.
    let get = store.sign_get("app/1", LASTS).await?.ok_or_else(|| Broken::new("it signs no more"))?;
    is_taken("a signature that has not ended", &send("GET", &get, b"").await?)
}

pub(super) async fn a_signature_is_for_what_it_says(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for key in ["app/1", "app/2"] {
        put(&*store, key, "kept").await?;
    }
    let Some(get) = signed(harness, store.sign_get("app/1", LASTS).await?)? else { return Ok(()) };
    let put = signed_put(harness, "app/1", 4).await?;
    // Another verb, another key.
    for (what, verb, signed) in [
        ("a signed GET sent as a PUT", "PUT", &get),
        ("a signed GET sent as a DELETE", "DELETE", &get),
        ("a signed PUT sent as a GET", "GET", &put),
        ("a signed PUT sent as a DELETE", "DELETE", &put),
    ] {
        is_refused(what, &send(verb, signed, if verb == "PUT" { b"evil" } else { b"" }).await?)?;
    }
    for (verb, signed) in [("GET", &get), ("PUT", &put)] {
        let other = Signed { url: signed.url.replacen("app/1", "app/2", 1), ..signed.clone() };
        ensure(other.url != signed.url, || format!("the URL does not hold the key: {other:?}"))?;
        let body: &[u8] = if verb == "PUT" { b"evil" } else { b"" };
        is_refused(&format!("a {verb} of another key"), &send(verb, &other, body).await?)?;
        // Anything else that is signed, one character of it.
        let (path, query) =
            signed.url.split_once('?').ok_or_else(|| Broken::new("nothing is signed in the URL"))?;
        let pairs: Vec<&str> = query.split('&').collect();
        for at in 0..pairs.len() {
            let mut tampered: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
            let Some(pair) = tampered.get_mut(at) else { continue };
            let last = pair.pop().unwrap_or('=');
            pair.push(if last == '1' { '2' } else { '1' });
            let name = pair.split('=').next().unwrap_or_default().to_owned();
            let tampered = Signed { url: format!("{path}?{}", tampered.join("&")), ..signed.clone() };
            is_refused(&format!("a {verb} with another {name}"), &send(verb, &tampered, body).await?)?;
        }
        let bare = Signed { url: path.to_owned(), ..signed.clone() };
        is_refused(&format!("a {verb} without a signature"), &send(verb, &bare, body).await?)?;
    }
    for key in ["app/1", "app/2"] {
        holds(&*store, key, b"kept").await?;
    }
    Ok(())
}

pub(super) async fn a_signed_put_has_the_length_it_says(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let Some(put) = signed(harness, store.sign_put("app/1", 1000, LASTS).await?)? else { return Ok(()) };
    for length in [0, 999, 1001, 100_000] {
        is_refused(&format!("{length} bytes instead of 1000"), &send("PUT", &put, &vec![7; length]).await?)?;
        holds_nothing(&*store, "app/1").await?;
    }
    is_taken("the 1000 bytes that were signed", &send("PUT", &put, &vec![7; 1000]).await?)
}

/// What was signed, or `None` where the store says that it signs nothing, as its harness does.
fn signed(harness: &dyn Harness, signed: Option<Signed>) -> Result<Option<Signed>, Broken> {
    match (harness.signs(), signed) {
        (true, None) => Err(Broken::new("the store signs nothing, and its harness says that it does")),
        (false, Some(signed)) => {
            Err(Broken::new(format!("its harness says that the store signs nothing: {signed:?}")))
        }
        (_, signed) => Ok(signed),
    }
}

async fn signed_put(harness: &dyn Harness, key: &str, size: u64) -> Result<Signed, Broken> {
    let signed = harness.open().await?.sign_put(key, size, LASTS).await?;
    signed.ok_or_else(|| Broken::new("the store signs one PUT and not another"))
}

/// What came back.
struct Answer {
    status: u16,
    bytes: Vec<u8>,
}

/// Sends a request as it was signed, by a client of its own.
async fn send(verb: &str, signed: &Signed, body: &[u8]) -> Result<Answer, Broken> {
    let failed =
        |error: reqwest::Error| Broken::new(format!("sending a signed {verb}: {}", error.without_url()));
    let method =
        reqwest::Method::from_bytes(verb.as_bytes()).map_err(|error| Broken::new(error.to_string()))?;
    let client = reqwest::Client::builder().no_proxy().build().map_err(failed)?;
    let mut request = client.request(method, &signed.url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    if verb == "PUT" {
        // Without it an empty body has no length.
        request = request.header("content-length", body.len()).body(body.to_vec());
    }
    let response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    Ok(Answer { status, bytes: response.bytes().await.map_err(failed)?.to_vec() })
}

/// 501 is how one may say that it does not know an algorithm.
fn refused(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) || answer.status == 501
}

fn is_refused(what: &str, answer: &Answer) -> Verdict {
    ensure(refused(answer), || format!("{what} is answered with {} and not refused", answer.status))
}

fn is_taken(what: &str, answer: &Answer) -> Verdict {
    ensure((200..300).contains(&answer.status), || {
        format!("{what} is answered with {}: {}", answer.status, super::shown(&answer.bytes))
    })
}
