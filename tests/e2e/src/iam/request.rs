//! Which permissions a request needs, as the "Service Authorization Reference" has them for the calls that autopgo makes.
//! Any other call is an error: whoever makes one says here what it needs.

use reqwest::Url;

use super::Need;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The names in lower case.
    pub headers: Vec<(String, String)>,
    /// Of a `POST`, the body.
    pub body: Vec<u8>,
}

/// What the request needs.
///
/// # Errors
/// When nobody has said here what it needs.
pub fn needs(asked: &Asked) -> Result<Vec<Need>, String> {
    let unknown = |why: &str| format!("{} {}: {why}", asked.method, asked.target);
    let url =
        Url::parse(&format!("http://aws{}", asked.target)).map_err(|error| unknown(&error.to_string()))?;
    match asked.service(&url).as_deref() {
        Some("s3") => s3(asked, &url),
        Some("sns") => sns(asked),
        Some(service) => Err(format!("what calls of {service} need is not said here")),
        None => Err("it is not signed".to_owned()),
    }
    .map_err(|why| unknown(&why))
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What the signature is for: KEY/DATE/REGION/SERVICE/aws4_request, in a header or, of a signed URL, in the query.
    fn service(&self, url: &Url) -> Option<String> {
        let in_header = self.header("authorization").and_then(|value| value.split("Credential=").nth(1));
        let in_query = || url.query_pairs().find(|(name, _)| name == "X-Amz-Credential");
        let scope =
            in_header.map(str::to_owned).or_else(|| in_query().map(|(_, value)| value.into_owned()))?;
        scope.split('/').nth(3).map(str::to_owned)
    }
}

/// With the bucket in the path, as it is where the endpoint is an address.
fn s3(asked: &Asked, url: &Url) -> Result<Vec<Need>, String> {
    let path = decoded(url.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    // `?acl`, `?uploads` and the like are other calls, and so are versions of an object.
    let plain = names.iter().all(|name| name == "x-id" || name.starts_with("x-amz-"));
    // These want a permission of their own.
    let more = ["x-amz-acl", "x-amz-grant-", "x-amz-tagging", "x-amz-object-lock-", "x-amz-bypass-"];
    if let Some((name, _)) =
        asked.headers.iter().find(|(name, _)| more.iter().any(|one| name.starts_with(one)))
    {
        return Err(format!("what {name} needs is not said here"));
    }
    let bucket = format!("arn:aws:s3:::{bucket}");
    let object = format!("{bucket}/{key}");
    match (asked.method.as_str(), key.is_empty()) {
        ("GET" | "HEAD", false) if plain => Ok(vec![Need::new("s3:GetObject", object)]),
        ("PUT", false) if plain => {
            let mut needs = vec![Need::new("s3:PutObject", object.as_str())];
            if let Some(source) = asked.header("x-amz-copy-source") {
                let source = decoded(source.trim_start_matches('/'));
                needs.push(Need::new("s3:GetObject", format!("arn:aws:s3:::{source}")));
            }
            // An `ETag` is compared for nobody who may not read it; that there is nothing, for whoever may write.
            if asked.header("if-match").is_some() {
                needs.push(Need::new("s3:GetObject", object));
            }
            Ok(needs)
        }
        ("DELETE", false) if plain => Ok(vec![Need::new("s3:DeleteObject", object)]),
        ("GET", true) if has("list-type") => Ok(vec![Need::new("s3:ListBucket", bucket)]),
        ("HEAD", true) if plain => Ok(vec![Need::new("s3:ListBucket", bucket)]),
        _ => Err("what this needs is not said here".to_owned()),
    }
}

/// Its calls are forms.
fn sns(asked: &Asked) -> Result<Vec<Need>, String> {
    let form = String::from_utf8_lossy(&asked.body);
    let form = Url::parse(&format!("http://sns/?{form}")).map_err(|error| error.to_string())?;
    let field = |wanted: &str| {
        let found = form.query_pairs().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).ok_or_else(|| format!("no {wanted}"))
    };
    match field("Action")?.as_str() {
        "Publish" | "PublishBatch" => Ok(vec![Need::new("sns:Publish", field("TopicArn")?)]),
        action => Err(format!("what {action} needs is not said here")),
    }
}

/// A path without its `%`; a `+` in it is none of a form.
fn decoded(path: &str) -> String {
    let query = format!("http://path/?{}", path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D"));
    let url = Url::parse(&query).ok();
    let name = url.as_ref().and_then(|url| url.query_pairs().next()).map(|(name, _)| name.into_owned());
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=KEY/20260101/eu-west-1/SERVICE/aws4_request, SignedHeaders=host, Signature=0";

    fn asked(service: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Asked {
        let signed = ("authorization".to_owned(), SIGNED.replace("SERVICE", service));
        let more = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Asked {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: std::iter::once(signed).chain(more).collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn shown(asked: &Asked) -> String {
        let needs: Vec<String> = needs(asked).unwrap().iter().map(ToString::to_string).collect();
        needs.join("; ")
    }

    #[test]
    fn calls_of_s3_are_told_apart() {
        let none: &[(&str, &str)] = &[];
        for (method, target, headers, expected) in [
            (
                "GET",
                "/b/shop/default.pgo?x-id=GetObject",
                none,
                "s3:GetObject on arn:aws:s3:::b/shop/default.pgo",
            ),
            ("HEAD", "/b/shop/staging/1", none, "s3:GetObject on arn:aws:s3:::b/shop/staging/1"),
            ("GET", "/b/a%20b%2Bc+d/%25", none, "s3:GetObject on arn:aws:s3:::b/a b+c+d/%"),
            ("PUT", "/b/k?x-id=PutObject", &[("if-none-match", "*")], "s3:PutObject on arn:aws:s3:::b/k"),
            (
                "PUT",
                "/b/k",
                &[("if-match", "\"1\"")],
                "s3:PutObject on arn:aws:s3:::b/k; s3:GetObject on arn:aws:s3:::b/k",
            ),
            (
                "PUT",
                "/b/shop/rejected/1?x-id=CopyObject",
                &[("x-amz-copy-source", "b/shop%2Fstaging/1")],
                "s3:PutObject on arn:aws:s3:::b/shop/rejected/1; s3:GetObject on arn:aws:s3:::b/shop/staging/1",
            ),
            ("DELETE", "/b/k?x-id=DeleteObject", none, "s3:DeleteObject on arn:aws:s3:::b/k"),
            ("GET", "/b?list-type=2&prefix=a%2F&max-keys=1", none, "s3:ListBucket on arn:aws:s3:::b"),
            ("GET", "/b/?list-type=2", none, "s3:ListBucket on arn:aws:s3:::b"),
            ("HEAD", "/b", none, "s3:ListBucket on arn:aws:s3:::b"),
        ] {
            assert_eq!(shown(&asked("s3", method, target, headers, "")), expected, "{method} {target}");
        }
    }

    #[test]
    fn a_signed_url_is_a_call_of_who_signed_it() {
        let target = "/b/k?X-Amz-Credential=KEY%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0&x-id=PutObject";
        let mut put = asked("", "PUT", target, &[], "");
        put.headers.clear();
        assert_eq!(shown(&put), "s3:PutObject on arn:aws:s3:::b/k");
    }

    #[test]
    fn calls_of_sns_are_told_by_their_form() {
        let arn = "arn%3Aaws%3Asns%3Aeu-west-1%3A1%3Aevents.fifo";
        for (action, named) in [("Publish", "Message=a%26b"), ("PublishBatch", "Version=2010-03-31")] {
            let body = format!("Action={action}&{named}&TopicArn={arn}");
            let expected = "sns:Publish on arn:aws:sns:eu-west-1:1:events.fifo";
            assert_eq!(shown(&asked("sns", "POST", "/", &[], &body)), expected, "{action}");
        }
    }

    #[test]
    fn what_nobody_has_said_is_an_error() {
        let unsigned = Asked { headers: Vec::new(), ..asked("s3", "GET", "/b/k", &[], "") };
        let cases = [
            unsigned,
            asked("sqs", "POST", "/", &[], "{}"),
            asked("s3", "GET", "/b/k?acl", &[], ""),
            asked("s3", "GET", "/b/k?versionId=1", &[], ""),
            asked("s3", "POST", "/b/k?uploads", &[], ""),
            asked("s3", "POST", "/b?delete", &[], ""),
            asked("s3", "PUT", "/b", &[], ""),
            asked("s3", "GET", "/b?location", &[], ""),
            asked("s3", "PUT", "/b/k", &[("x-amz-tagging", "a=b")], ""),
            asked("sns", "POST", "/", &[], "Action=CreateTopic&Name=a"),
            asked("sns", "POST", "/", &[], "Action=Publish&TargetArn=a"),
            asked("sns", "POST", "/", &[], ""),
        ];
        for asked in cases {
            assert!(needs(&asked).is_err(), "{asked:?}");
        }
    }
}
