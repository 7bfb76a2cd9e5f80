//! The one question asked of every request: may it do this to that application?
//!
//! It is asked before anything of a body is read. 401 is for whoever cannot be told from anybody, 403 for a token that we
//! know and that does not reach this far (RFC 6750 3.1). Behind the gate nobody sees the header any more.

use std::sync::Arc;

use autopgo_core::app::App;
use autopgo_core::error::Result;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;

use super::scope::{Pattern, Scope};
use super::secret::Secret;
use super::tokens::{Name, Token, Tokens};
use crate::fail::Failure;
use crate::log::Caller;
use crate::route::name::Named;

/// Who may use the API.
#[derive(Clone, Debug)]
pub struct Access(Option<Tokens>);

impl Access {
    /// Everybody, for everything.
    pub fn open() -> Self {
        Self(None)
    }

    /// Whoever has one of `tokens`, for what that one says.
    pub fn by(tokens: Tokens) -> Self {
        Self(Some(tokens))
    }

    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Lets a `part` of this process in by a token of its own, which nobody else ever sees. `None` where the door is open.
    ///
    /// # Errors
    /// `Internal` where the system has no randomness.
    pub fn lend(&mut self, part: &str, scopes: Vec<Scope>, apps: Vec<Pattern>) -> Result<Option<Secret>> {
        let Some(tokens) = &mut self.0 else { return Ok(None) };
        let secret = Secret::fresh()?;
        *tokens = tokens.and(Token::new(Name::of_ours(part), &secret, scopes, apps));
        Ok(Some(secret))
    }

    /// Whether a request with `headers` may see what is for any token.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        self.holder(headers).is_ok()
    }

    /// # Errors
    /// 401 without a token, with what is none, and with one that is not in the list.
    fn holder(&self, headers: &HeaderMap) -> Result<Holder, Failure> {
        let Some(tokens) = &self.0 else { return Ok(Holder::Anybody) };
        let found = tokens.of(presented(headers)?).map(|token| Holder::Of(Arc::clone(token)));
        found.ok_or_else(|| {
            unknown(
                "the token is none that this server knows; it may have been replaced, or be another server's",
            )
        })
    }
}

/// Who a request is from.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// Nobody was asked.
    Anybody,
    /// Whoever holds this token.
    Of(Arc<Token>),
}

impl Holder {
    /// # Errors
    /// 403 if the token lacks `scope`.
    fn may(&self, scope: Scope) -> Result<(), Failure> {
        match self {
            Self::Of(token) if !token.has(scope) => {
                Err(forbidden(format!("the token {} lacks the scope {scope}", token.name())))
            }
            _ => Ok(()),
        }
    }

    /// Whether the token is for `app`.
    pub(crate) fn reaches(&self, app: &App) -> bool {
        match self {
            Self::Anybody => true,
            Self::Of(token) => token.reaches(app),
        }
    }
}

/// `route` for any token at all.
///
/// Takes and gives a route, as the others here, so that the list of routes shows what each asks for.
#[cfg_attr(
    not(any(test, feature = "prometheus")),
    expect(dead_code, reason = "the one route for any token is that of the metrics")
)]
pub(crate) fn any<S: Clone + Send + Sync + 'static>(
    access: &Access,
    route: MethodRouter<S>,
) -> MethodRouter<S> {
    behind(Gate { access: access.clone(), scope: None, app: false }, route)
}

/// `route` for tokens with `scope`. It shows of each application only what the [`Holder`], an extension of the request,
/// reaches.
pub(crate) fn all<S: Clone + Send + Sync + 'static>(
    access: &Access,
    scope: Scope,
    route: MethodRouter<S>,
) -> MethodRouter<S> {
    behind(Gate { access: access.clone(), scope: Some(scope), app: false }, route)
}

/// `route` for tokens with `scope` for the application that the path names.
pub(crate) fn app<S: Clone + Send + Sync + 'static>(
    access: &Access,
    scope: Scope,
    route: MethodRouter<S>,
) -> MethodRouter<S> {
    behind(Gate { access: access.clone(), scope: Some(scope), app: true }, route)
}

/// What a gate asks for.
#[derive(Clone)]
struct Gate {
    access: Access,
    scope: Option<Scope>,
    app: bool,
}

fn behind<S: Clone + Send + Sync + 'static>(gate: Gate, route: MethodRouter<S>) -> MethodRouter<S> {
    route.route_layer(from_fn_with_state(gate, pass))
}

async fn pass(
    State(Gate { access, scope, app }): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let holder = access.holder(&parts.headers)?;
    if let Holder::Of(token) = &holder {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            caller.is(token.name());
        }
        if let Some(scope) = scope {
            holder.may(scope)?;
        }
        if app {
            // By the very rule of the routes behind, so that both speak of the same one.
            let Named(app) = Named::from_request_parts(&mut parts, &()).await?;
            if !holder.reaches(&app) {
                return Err(forbidden(format!(
                    "the token {} is not for the application {app}",
                    token.name()
                )));
            }
        }
    }
    parts.headers.remove(AUTHORIZATION);
    parts.extensions.insert(holder);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// The token that a request presents, as RFC 6750 2.1 has it.
///
/// # Errors
/// 401 without one, and for anything else in its place.
fn presented(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = match (all.next(), all.next()) {
        (Some(value), None) => value,
        (None, _) => return Err(unknown("this server wants a token, as `Authorization: Bearer TOKEN`")),
        (Some(_), Some(_)) => return Err(unknown("there is more than one authorization header; send one")),
    };
    let malformed = || unknown("the authorization header is not of the form `Bearer TOKEN`");
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains([' ', '\t']) {
        return Err(malformed());
    }
    Ok(token)
}

fn unknown(what: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, what)
}

fn forbidden(what: String) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Extension;
    use axum::Router;
    use axum::body::Body;
    use axum::http::header::WWW_AUTHENTICATE;
    use axum::http::{HeaderName, HeaderValue};
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use crate::process::logging::tests::Lines;
    use crate::process::logging::{Format, Level};
    use crate::router::finished;

    struct World {
        access: Access,
        secret: Secret,
    }

    impl World {
        /// One token: downloads of `team-*`.
        fn new() -> Self {
            let secret = Secret::fresh().expect("random");
            let name = Name::parse("ci").expect("a name");
            let apps = vec![Pattern::parse("team-*").expect("a pattern")];
            let token = Token::new(name, &secret, vec![Scope::Download], apps);
            let list = format!("[{}]", serde_json::to_string(&token).expect("JSON"));
            Self { access: Access::by(Tokens::parse(&list, "t").expect("a list")), secret }
        }

        fn router(&self) -> Router {
            let sees = |Extension(holder): Extension<Holder>, headers: HeaderMap| async move {
                let app = |name: &str| App::parse(name).expect(name);
                let reaches = (holder.reaches(&app("team-a")), holder.reaches(&app("b")));
                format!("{reaches:?} {}", headers.contains_key(AUTHORIZATION))
            };
            let routes = Router::new()
                .route("/list", all(&self.access, Scope::Download, get(sees)))
                .route("/any", any(&self.access, get(sees)))
                .route(
                    "/of/{app}",
                    app(&self.access, Scope::Download, get(sees)).merge(app(
                        &self.access,
                        Scope::Upload,
                        post(sees),
                    )),
                );
            finished(routes, "nothing")
        }

        async fn ask(&self, method: &str, path: &str, headers: &[(HeaderName, &str)]) -> (u16, String, bool) {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
            }
            let request = request.body(Body::empty()).expect("a request");
            let response = self.router().oneshot(request).await.expect("infallible");
            let status = response.status().as_u16();
            let challenged = response.headers().get(WWW_AUTHENTICATE).is_some_and(|value| value == "Bearer");
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
            (status, String::from_utf8(body.to_vec()).expect("text"), challenged)
        }

        fn bearer(&self) -> String {
            format!("Bearer {}", self.secret.reveal())
        }
    }

    #[tokio::test]
    async fn a_header_is_one_token_or_none() {
        let world = World::new();
        let token = world.secret.reveal();
        for right in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token} ")] {
            let answer = world.ask("GET", "/list", &[(AUTHORIZATION, &right)]).await;
            assert_eq!(answer, (200, "(true, false) false".to_owned(), false), "{right}");
        }
        for (wrong, says) in [
            ("", "not of the form"),
            ("Bearer", "not of the form"),
            ("Bearer ", "not of the form"),
            (token, "not of the form"),
            (&format!("Basic {token}"), "not of the form"),
            (&format!("Bearer{token}"), "not of the form"),
            (&format!("Bearer {token} {token}"), "not of the form"),
            (&format!("Bearer {token}, Basic x"), "not of the form"),
            ("Bearer caf\u{e9}", "not of the form"),
            ("Bearer x", "none that this server knows"),
            (&format!("Bearer {}", token.to_uppercase()), "none that this server knows"),
            (&format!("Bearer {}", &token[..token.len() - 1]), "none that this server knows"),
            (&format!("Bearer {token}0"), "none that this server knows"),
        ] {
            let (status, body, challenged) = world.ask("GET", "/list", &[(AUTHORIZATION, wrong)]).await;
            assert_eq!((status, challenged), (401, true), "{wrong}");
            assert!(body.contains(says) && !body.contains(&token[8..]), "{wrong}: {body}");
        }
        let bearer = world.bearer();
        let twice = [(AUTHORIZATION, bearer.as_str()), (AUTHORIZATION, bearer.as_str())];
        let (status, body, challenged) = world.ask("GET", "/list", &twice).await;
        assert!(status == 401 && challenged && body.contains("more than one"), "{body}");
        let (status, body, challenged) = world.ask("GET", "/list", &[]).await;
        assert!(status == 401 && challenged && body.contains("wants a token"), "{body}");
    }

    #[tokio::test]
    async fn a_known_token_is_told_what_it_lacks() {
        let world = World::new();
        let bearer = world.bearer();
        for (method, path, status, says) in [
            ("GET", "/any", 200, "(true, false)"),
            ("GET", "/of/team-a", 200, "(true, false)"),
            ("HEAD", "/of/team-a", 200, ""),
            ("GET", "/of/b", 403, "the token ci is not for the application b"),
            ("HEAD", "/of/b", 403, ""),
            ("POST", "/of/team-a", 403, "the token ci lacks the scope upload"),
            ("POST", "/of/b", 403, "the token ci lacks the scope upload"),
            ("GET", "/of/B", 400, "'B'"),
            ("GET", "/of/team-a%2f..%2fb", 400, "'/'"),
            ("GET", "/of/team-a%ff", 400, "not UTF-8"),
            ("DELETE", "/of/team-a", 405, "DELETE is not possible here"),
            ("GET", "/nowhere", 404, "nothing at this path"),
        ] {
            let answer = world.ask(method, path, &[(AUTHORIZATION, &bearer)]).await;
            assert!(
                answer.0 == status && answer.1.contains(says) && !answer.2,
                "{method} {path}: {answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_open_door_asks_nobody() {
        let world = World { access: Access::open(), ..World::new() };
        assert!(world.access.is_open());
        for headers in [&[][..], &[(AUTHORIZATION, "Bearer x")], &[(AUTHORIZATION, "nonsense")]] {
            for (method, path) in [("GET", "/list"), ("GET", "/any"), ("POST", "/of/b"), ("GET", "/of/B")] {
                let answer = world.ask(method, path, headers).await;
                assert_eq!(answer, (200, "(true, true) false".to_owned(), false), "{method} {path}");
            }
        }
        assert!(Access::open().lend("demo", vec![], vec![]).expect("nothing to do").is_none());
    }

    #[tokio::test]
    async fn a_part_of_the_process_has_a_token_of_its_own() {
        let mut world = World::new();
        let apps = vec![Pattern::parse("b").expect("a pattern")];
        let lent = world.access.lend("demo", vec![Scope::Upload], apps).expect("random").expect("needed");
        let bearer = format!("Bearer {}", lent.reveal());
        let headers = [(AUTHORIZATION, bearer.as_str())];
        assert_eq!(world.ask("POST", "/of/b", &headers).await.0, 200);
        let (status, body, _) = world.ask("POST", "/of/team-a", &headers).await;
        assert!(status == 403 && body.contains("the token (demo) is not for"), "{body}");
        assert_eq!(world.ask("GET", "/of/team-a", &[(AUTHORIZATION, &world.bearer())]).await.0, 200);
    }

    #[tokio::test]
    async fn the_log_has_the_name_and_never_the_token() {
        let world = World::new();
        let bearer = world.bearer();
        for format in [Format::Text, Format::Json, Format::Google] {
            let (lines, _log) = Lines::of(Level::Debug, format);
            for (path, header) in [
                ("/of/team-a", bearer.as_str()),
                ("/of/b", &bearer),
                ("/any", "Bearer wrong-s3cret"),
                ("/any", "Basic wrong-s3cret"),
            ] {
                world.ask("GET", path, &[(AUTHORIZATION, header)]).await;
            }
            let text = lines.text();
            let hash = serde_json::to_string(&Token::new(Name::of_ours("x"), &world.secret, vec![], vec![]));
            let hash = hash.expect("JSON").split('"').nth(7).expect("the hash").to_owned();
            assert_eq!(hash.len(), 64);
            for secret in [&world.secret.reveal()[8..], &hash, "s3cret", "Bearer ", "Basic"] {
                let shown = text.replace("`Bearer TOKEN`", "");
                assert!(!shown.contains(secret), "{secret}: {text}");
            }
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 4, "{text}");
            match format {
                Format::Json | Format::Google => {
                    let names: Vec<_> = text
                        .lines()
                        .map(|line| {
                            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["token"].clone()
                        })
                        .collect();
                    assert_eq!(
                        names,
                        ["ci".into(), "ci".into(), serde_json::Value::Null, serde_json::Value::Null]
                    );
                }
                Format::Text => {
                    assert!(lines[1].contains("token=\"ci\"") && lines[1].contains("status=403"), "{text}");
                    assert!(!lines[2].contains("token="), "{text}");
                }
            }
        }
    }
}
