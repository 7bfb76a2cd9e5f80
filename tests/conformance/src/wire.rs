//! Just enough HTTP/1.1 to stand between a store and its client: one request a connection, bodies by their length or in
//! chunks.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request as it came.
pub struct Request {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// In their order, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads one request. `None` if the client closes before it began.
    ///
    /// # Errors
    /// The connection breaks, or what comes is no HTTP/1.1.
    pub async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && head.is_empty() => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let head = String::from_utf8(head).map_err(strange)?;
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request =
            Self { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() };
        if request.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        if request
            .header("transfer-encoding")
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked"))
        {
            request.body = chunks(stream).await?;
            // It goes on in one piece.
            request.headers.retain(|(name, _)| name != "transfer-encoding");
            request.headers.push(("content-length".to_owned(), request.body.len().to_string()));
            return Ok(Some(request));
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(strange)?;
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body).await?;
        Ok(Some(request))
    }

    /// Sends it on, as the only one of its connection.
    ///
    /// # Errors
    /// The connection breaks.
    pub async fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            if !matches!(name.as_str(), "connection" | "expect") {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str("connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.body).await
    }
}

/// A body in chunks, each behind a line with its length; the last is empty (RFC 9112, 7.1).
async fn chunks(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let line = String::from_utf8(line).map_err(strange)?;
        let length = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).map_err(strange)?;
        let begin = body.len();
        body.resize(begin + length, 0);
        stream.read_exact(body.get_mut(begin..).unwrap_or_default()).await?;
        let mut end = [0; 2];
        stream.read_exact(&mut end).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Answers, as the last of the connection.
///
/// # Errors
/// The connection breaks.
pub async fn answer(stream: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

fn strange(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
