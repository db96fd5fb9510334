//! `curl`: one HTTP request.
//!
//! Models: curl 7.88.1, its wording included; what it prints to a terminal (no progress meter).
//! Simplifies: HTTP/1.1 without TLS, redirects, or bodies of requests. Names of hosts are left to the engine.

use super::answer::Answer;
use super::args::Args;
use super::flow::{FlowCommand, Letters, seconds};
use super::{Command, ShellError, Spec};
use crate::linux::Errno;
use crate::packet::IpAddr;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The command.
pub static SPEC: Spec = Spec {
    name: "curl",
    about: "one HTTP request",
    usage: "curl [-s] [-S] [-v] [-i] [-I] [-f] [-m SECONDS] [--connect-timeout SECONDS] [-H 'NAME: VALUE'] [-X METHOD] [-o /dev/null] [-w FORMAT] URL",
    parse,
};

/// A `curl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curl {
    /// Host of the URL, an address or a name.
    pub host: Arc<str>,
    /// Port of the URL.
    pub port: u16,
    /// Path and query of the URL.
    pub path: Arc<str>,
    /// The `Host:` header: host and port as in the URL, unless one was given.
    pub host_header: Arc<str>,
    /// Method.
    pub method: Arc<str>,
    /// Further headers.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// `-m`.
    pub max_time: Option<Duration>,
    /// `--connect-timeout`.
    pub connect_timeout: Option<Duration>,
    /// `--interface` with an address.
    pub source: Option<IpAddr>,
    /// `--local-port`.
    pub local_port: Option<u16>,
    /// How to print.
    pub print: Print,
}

/// How the answer is printed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Print {
    /// `-s`.
    pub silent: bool,
    /// `-S`.
    pub show_error: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-i`, `-I`.
    pub headers: bool,
    /// `-f`.
    pub fail: bool,
    /// `-o /dev/null`.
    pub no_body: bool,
    /// `-w`.
    pub write_out: Option<Arc<str>>,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    const TRY: &str = "curl: try 'curl --help' or 'curl --manual' for more information";
    let mut c = Curl {
        host: "".into(),
        port: 80,
        path: "/".into(),
        host_header: "".into(),
        method: "GET".into(),
        headers: Vec::new(),
        max_time: None,
        connect_timeout: None,
        source: None,
        local_port: None,
        print: Print::default(),
    };
    let mut url: Option<&str> = None;
    while let Some(word) = args.next() {
        if let Some(long) = word.strip_prefix("--").filter(|l| !l.is_empty()) {
            let letter = match long {
                "silent" => 's',
                "show-error" => 'S',
                "verbose" => 'v',
                "include" => 'i',
                "head" => 'I',
                "fail" => 'f',
                "ipv4" => '4',
                "max-time" => 'm',
                "header" => 'H',
                "request" => 'X',
                "output" => 'o',
                "write-out" => 'w',
                "user-agent" => 'A',
                "connect-timeout" => 'c',
                "interface" => 'n',
                "local-port" => 'l',
                "http1.1" | "no-progress-meter" | "no-keepalive" | "globoff" | "disable" => continue,
                "url" => {
                    url = Some(value(args, long)?);
                    continue;
                }
                "location"
                | "insecure"
                | "data"
                | "resolve"
                | "connect-to"
                | "retry"
                | "http2"
                | "http1.0"
                | "proxy"
                | "user"
                | "form"
                | "upload-file"
                | "ipv6"
                | "compressed"
                | "cacert"
                | "cert"
                | "key"
                | "keepalive-time"
                | "limit-rate"
                | "json"
                | "get"
                | "data-raw"
                | "data-binary"
                | "help"
                | "version"
                | "noproxy"
                | "parallel"
                | "path-as-is"
                | "fail-with-body"
                | "cookie"
                | "referer"
                | "retry-delay"
                | "retry-connrefused"
                | "retry-max-time"
                | "trace"
                | "unix-socket"
                | "http2-prior-knowledge" => {
                    return Err(args.unsupported());
                }
                _ => return Err(args.error(format!("curl: option {word}: is unknown\n{TRY}"))),
            };
            if takes_value(letter) {
                let v = value(args, long)?;
                option(args, &mut c, letter, word, v)?;
            } else {
                flag(&mut c, letter);
            }
            continue;
        }
        let Some(mut letters) = Letters::of(word) else {
            if url.is_some() {
                return Err(args.not_simulated("several URLs in one command"));
            }
            url = Some(word);
            continue;
        };
        while let Some(letter) = letters.next() {
            match letter {
                's' | 'S' | 'v' | 'i' | 'I' | 'f' | '4' => flag(&mut c, letter),
                'm' | 'H' | 'X' | 'o' | 'w' | 'A' => {
                    let v = match letters.value() {
                        Some(v) => v,
                        None => value(args, &letter.to_string())?,
                    };
                    option(args, &mut c, letter, &format!("-{letter}"), v)?;
                }
                '#' | 'N' | 'q' | 'g' => {}
                'L' | 'k' | 'd' | 'G' | 'F' | 'T' | 'u' | 'x' | 'b' | 'c' | 'e' | 'E' | 'J' | 'O' | 'r' | 'R' | 'Z' | '0' | '1' | '2'
                | '3' | '6' | 'h' | 'V' | 'K' | 'z' | 'C' | 'D' | 'Y' | 'y' | 'a' | 'B' | 'j' | 'l' | 'n' | 'p' | 'P' | 'Q' | 't' | 'U' => {
                    return Err(args.not_simulated(format_args!("`-{letter}`")));
                }
                _ => return Err(args.error(format!("curl: option {word}: is unknown\n{TRY}"))),
            }
        }
    }
    let Some(url) = url else { return Err(args.end(TRY)) };
    place(args, &mut c, url)?;
    Ok(Command::flow(FlowCommand::Curl(c)))
}

fn takes_value(letter: char) -> bool {
    matches!(letter, 'm' | 'H' | 'X' | 'o' | 'w' | 'A' | 'c' | 'n' | 'l')
}

fn value<'l>(args: &mut Args<'l>, name: &str) -> Result<&'l str, ShellError> {
    let dashes = if name.len() > 1 { "--" } else { "-" };
    match args.next() {
        Some(w) => Ok(w),
        None => Err(args.end(format!("curl: option {dashes}{name}: requires parameter"))),
    }
}

fn flag(c: &mut Curl, letter: char) {
    match letter {
        's' => c.print.silent = true,
        'S' => c.print.show_error = true,
        'v' => c.print.verbose = true,
        'i' => c.print.headers = true,
        'I' => {
            c.print.headers = true;
            c.method = "HEAD".into();
        }
        'f' => c.print.fail = true,
        _ => {}
    }
}

fn option(args: &Args<'_>, c: &mut Curl, letter: char, name: &str, v: &str) -> Result<(), ShellError> {
    let bad = || args.error(format!("curl: option {name}: expected a proper numerical parameter"));
    match letter {
        'm' => c.max_time = Some(seconds(v).ok_or_else(bad)?).filter(|d| !d.is_zero()),
        'c' => c.connect_timeout = Some(seconds(v).ok_or_else(bad)?).filter(|d| !d.is_zero()),
        'l' => c.local_port = Some(v.parse().ok().filter(|p| *p > 0).ok_or_else(bad)?),
        'n' => match v.parse() {
            Ok(a) => c.source = Some(a),
            Err(_) => return Err(args.not_simulated("`--interface` with a device")),
        },
        'X' if !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic()) => c.method = v.into(),
        'X' => return Err(args.not_simulated("such a method")),
        'H' => {
            let (k, v) = v.split_once(':').ok_or_else(|| args.not_simulated("a header without a value"))?;
            let (k, v) = (k.trim(), v.trim());
            if k.eq_ignore_ascii_case("host") {
                c.host_header = v.into();
            } else {
                c.headers.push((k.into(), v.into()));
            }
        }
        'A' => c.headers.push(("User-Agent".into(), v.into())),
        'o' if v == "/dev/null" || v == "-" => c.print.no_body = v != "-",
        'o' => return Err(args.not_simulated("files: only `-o /dev/null`")),
        _ => c.print.write_out = Some(v.into()),
    }
    Ok(())
}

fn place(args: &Args<'_>, c: &mut Curl, url: &str) -> Result<(), ShellError> {
    let malformed = || args.error_status("curl: (3) URL using bad/illegal format or missing URL", 3);
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => return Err(args.not_simulated("TLS (https)")),
        Some((scheme, _))
            if ["ftp", "ftps", "file", "dict", "gopher", "ldap", "smtp", "telnet", "tftp", "ws", "wss", "mqtt"].contains(&scheme) =>
        {
            return Err(args.not_simulated(format_args!("the protocol `{scheme}`")));
        }
        Some((scheme, _)) => {
            return Err(args.error_status(format!("curl: (1) Protocol \"{scheme}\" not supported or disabled in libcurl"), 1));
        }
        None => url,
    };
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = path.split('#').next().unwrap_or("");
    if authority.contains('@') {
        return Err(args.not_simulated("user names in URLs"));
    }
    if authority.starts_with('[') {
        return Err(args.not_simulated("IPv6"));
    }
    let (host, port) = match authority.split_once(':') {
        Some((h, "")) => (h, 80),
        Some((h, p)) if p.bytes().all(|b| b.is_ascii_digit()) => (h, p.parse().map_err(|_| malformed())?),
        Some(_) => return Err(malformed()),
        None => (authority, 80),
    };
    if host.is_empty()
        || host.chars().any(|ch| ch.is_whitespace() || ch.is_control())
        || path.chars().any(|ch| ch.is_whitespace() || ch.is_control())
    {
        return Err(malformed());
    }
    c.host = host.into();
    c.port = port;
    c.path = match path {
        "" => "/".into(),
        p if p.starts_with('?') => format!("/{p}").into(),
        p => p.into(),
    };
    if c.host_header.is_empty() {
        c.host_header = if port == 80 { host.into() } else { format!("{host}:{port}").into() };
    }
    Ok(())
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurlEnd {
    /// An answer came.
    Answer {
        /// The first line behind the version: `200 OK`.
        status_line: Arc<str>,
        /// Status code.
        status: u16,
        /// `1.0` or `1.1`.
        version: &'static str,
        /// Headers in order.
        headers: Vec<(Arc<str>, Arc<str>)>,
        /// The body.
        body: String,
    },
    /// The name is not known.
    NotResolved,
    /// The connection was not made.
    NotConnected(Errno),
    /// The connection was not made in time (`--connect-timeout`).
    ConnectTimeout,
    /// `-m` was over before the connection was made, or before the answer was there: bytes received.
    TimedOut {
        /// Whether the connection was made.
        connected: bool,
        /// Bytes received.
        received: usize,
    },
    /// The other end closed without an answer.
    Empty,
    /// The connection was broken.
    Broken(Errno),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurlResult {
    /// The address that was tried.
    pub target: Option<IpAddr>,
    /// How it ended.
    pub end: CurlEnd,
    /// From the beginning to the end.
    pub elapsed: Duration,
}

/// What `curl` prints, and its exit status.
pub fn render(curl: &Curl, result: &CurlResult) -> Answer {
    let mut a = Answer::default();
    let p = &curl.print;
    let (host, port, after) = (&curl.host, curl.port, result.elapsed.as_millis());
    let target = result.target.map_or_else(|| host.to_string(), |t| t.to_string());
    let mut notes = String::new();
    if result.target.is_some() {
        let _ = writeln!(notes, "*   Trying {target}:{port}...");
    }
    let connected =
        matches!(result.end, CurlEnd::Answer { .. } | CurlEnd::Empty | CurlEnd::Broken(_) | CurlEnd::TimedOut { connected: true, .. });
    if connected {
        let _ = writeln!(notes, "* Connected to {host} ({target}) port {port} (#0)");
        let _ = write!(notes, "> {} {} HTTP/1.1\n> Host: {}\n", curl.method, curl.path, curl.host_header);
        if !curl.headers.iter().any(|(k, _)| k.eq_ignore_ascii_case("user-agent")) {
            notes.push_str("> User-Agent: curl/7.88.1\n");
        }
        notes.push_str("> Accept: */*\n");
        for (k, v) in &curl.headers {
            let _ = writeln!(notes, "> {k}: {v}");
        }
        notes.push_str("> \n");
    }
    let error: Option<(u8, String)> = match &result.end {
        CurlEnd::Answer { status_line, status, version, headers, body } => {
            let mut head = format!("HTTP/{version} {status_line}\n");
            for (k, v) in headers {
                let _ = writeln!(head, "{k}: {v}");
            }
            head.push('\n');
            for line in head.lines() {
                let _ = writeln!(notes, "< {line}");
            }
            let _ = writeln!(notes, "* Connection #0 to host {host} left intact");
            let failed = p.fail && *status >= 400;
            if p.headers && !p.no_body {
                a.stdout.push_str(&head);
            }
            if !failed && !p.no_body && &*curl.method != "HEAD" {
                a.stdout.push_str(body);
            }
            failed.then(|| (22, format!("The requested URL returned error: {status}")))
        }
        CurlEnd::NotResolved => Some((6, format!("Could not resolve host: {host}"))),
        CurlEnd::NotConnected(errno) => {
            let _ = writeln!(notes, "* connect to {target} port {port} failed: {errno}");
            Some((7, format!("Failed to connect to {host} port {port} after {after} ms: Couldn't connect to server")))
        }
        CurlEnd::ConnectTimeout => Some((28, format!("Failed to connect to {host} port {port} after {after} ms: Timeout was reached"))),
        CurlEnd::TimedOut { connected: false, .. } => Some((28, format!("Connection timed out after {after} milliseconds"))),
        CurlEnd::TimedOut { received, .. } => {
            Some((28, format!("Operation timed out after {after} milliseconds with {received} bytes received")))
        }
        CurlEnd::Empty => Some((52, "Empty reply from server".to_owned())),
        CurlEnd::Broken(errno) => Some((56, format!("Recv failure: {errno}"))),
    };
    if p.verbose {
        a.stderr.push_str(&notes);
        if let Some((code, words)) = error.as_ref().filter(|(code, _)| *code != 22) {
            let _ = writeln!(a.stderr, "* {words}");
            if *code != 6 {
                a.stderr.push_str("* Closing connection 0\n");
            }
        }
    }
    if let Some((code, words)) = error {
        a.status = code;
        if !p.silent || p.show_error {
            let _ = writeln!(a.stderr, "curl: ({code}) {words}");
        }
    }
    if let Some(format) = &p.write_out {
        a.stdout.push_str(&write_out(format, curl, result, &target));
    }
    a
}

/// `-w`: the variables that are known, and the escapes.
fn write_out(format: &str, curl: &Curl, result: &CurlResult, target: &str) -> String {
    let status = match &result.end {
        CurlEnd::Answer { status, .. } => *status,
        _ => 0,
    };
    let us = result.elapsed.as_micros();
    format
        .replace("%{http_code}", &format!("{status:03}"))
        .replace("%{response_code}", &format!("{status:03}"))
        .replace("%{remote_ip}", target)
        .replace("%{remote_port}", &curl.port.to_string())
        .replace("%{time_total}", &format!("{}.{:06}", us / 1_000_000, us % 1_000_000))
        .replace("%%", "%")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
}
