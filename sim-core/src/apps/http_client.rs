//! One HTTP/1.1 request, as curl makes it.
//!
//! Spec: RFC 9112 (status line, Content-Length).
//! Simplifies: no redirects, no chunked bodies (such a body ends with the connection), no TLS, one request a connection.

use super::options::Options;
use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::SocketKind;
use crate::linux::{Errno, SocketId};
use crate::packet::{Endpoint, IpAddr};
use std::sync::Arc;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where the server is.
    pub to: Endpoint<IpAddr>,
    /// Method.
    pub method: Arc<str>,
    /// Path.
    pub path: Arc<str>,
    /// `Host:`, with the port if it is not 80.
    pub host: Arc<str>,
    /// Further headers.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// `User-Agent:`.
    pub agent: Arc<str>,
}

impl Request {
    /// The bytes of the request.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.host);
        let own = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !own("User-Agent") {
            text.push_str(&format!("User-Agent: {}\r\n", self.agent));
        }
        if !own("Accept") {
            text.push_str("Accept: */*\r\n");
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text
    }
}

/// What a server has said, read so far.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Status line and headers, with the empty line.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
}

/// Reads a response; none if its head is not complete or is no HTTP.
pub fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let (head, body) = bytes.split_at(end);
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.trim().parse().ok()?;
    Some(Response { status, head, body: body.to_vec() })
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|l| {
            let (n, v) = l.split_once(':')?;
            n.trim().eq_ignore_ascii_case(name).then(|| v.trim())
        })
    }

    /// Whether the body is complete, as far as its length is known.
    fn is_complete(&self, to_head: bool) -> bool {
        let none = to_head || self.status == 204 || self.status == 304;
        none || self.header("Content-Length").and_then(|v| v.parse::<usize>().ok()).is_some_and(|n| self.body.len() >= n)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    Waiting,
    Closing,
    Closed,
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub struct HttpClient {
    request: Request,
    options: Options,
    socket: SocketId,
    phase: Phase,
    timer: u32,
    unsent: Vec<u8>,
    received: Vec<u8>,
    outcome: Outcome,
}

impl HttpClient {
    /// A client that makes this request. Without a time-out it waits as long as the connection lasts.
    pub fn new(request: Request, options: Options) -> Self {
        let outcome = Outcome { flow: options.flow, ..Outcome::of(Ending::Connected) };
        HttpClient {
            request,
            options,
            socket: SocketId::NONE,
            phase: Phase::Idle,
            timer: 0,
            unsent: Vec::new(),
            received: Vec::new(),
            outcome,
        }
    }

    /// What it asked.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What the server said, if it did.
    pub fn response(&self) -> Option<Response> {
        parse(&self.received)
    }

    fn start(&mut self, sys: &mut dyn Syscalls) {
        self.unsent = self.request.text().into_bytes();
        let begun = self.options.open(sys, SocketKind::Tcp).and_then(|id| {
            self.socket = id;
            sys.connect(id, self.request.to)
        });
        match begun {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => {
                self.outcome.immediate = true;
                return self.fail(sys, errno);
            }
        }
        self.phase = Phase::Connecting;
        if let Some(limit) = self.options.timeout {
            self.timer += 1;
            sys.set_timer(limit, self.timer);
        }
    }

    fn fail(&mut self, sys: &mut dyn Syscalls, errno: Errno) {
        self.outcome.ending = Ending::of_errno(errno);
        self.outcome.errno = Some(errno);
        if let Some(report) = sys.recv_error(self.socket) {
            self.outcome = self.outcome.clone().with_report(&report);
        }
        self.end(sys);
    }

    fn end(&mut self, sys: &mut dyn Syscalls) {
        self.phase = Phase::Closed;
        self.timer += 1;
        if self.socket.is_some() {
            sys.close(self.socket);
        }
    }

    fn write(&mut self, sys: &mut dyn Syscalls) -> Result<(), Errno> {
        while !self.unsent.is_empty() {
            match sys.send(self.socket, &self.unsent) {
                Ok(n) => {
                    self.outcome.sent += n;
                    self.unsent.drain(..n.min(self.unsent.len()));
                }
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Reads what there is; whether the stream has ended.
    fn read(&mut self, sys: &mut dyn Syscalls) -> Result<bool, Errno> {
        loop {
            match sys.recv(self.socket) {
                Ok(data) if data.is_empty() => return Ok(true),
                Ok(data) => {
                    self.outcome.received += data.len();
                    self.received.extend_from_slice(&data);
                }
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn go_on(&mut self, sys: &mut dyn Syscalls) -> Result<(), Errno> {
        if self.phase == Phase::Connecting {
            if let Some(errno) = sys.take_error(self.socket) {
                return Err(errno);
            }
            if !sys.is_connected(self.socket) {
                return Ok(());
            }
            sys.set_recverr(self.socket, false);
            self.outcome.client_saw = sys.local(self.socket).zip(sys.peer(self.socket));
            self.phase = Phase::Waiting;
        }
        if self.phase == Phase::Waiting {
            self.write(sys)?;
        }
        let over = self.read(sys)?;
        let to_head = &*self.request.method == "HEAD";
        let response = self.response();
        if let Some(r) = &response {
            self.outcome.ending = Ending::Status(r.status);
        }
        if over {
            self.end(sys);
        } else if self.phase == Phase::Waiting && response.is_some_and(|r| r.is_complete(to_head)) {
            self.phase = Phase::Closing;
            sys.shutdown(self.socket);
            self.timer += 1;
            sys.set_timer(super::tcp_client::PATIENCE, self.timer);
        }
        Ok(())
    }
}

impl Program for HttpClient {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => self.start(sys),
            Event::Socket(id) if id == self.socket && self.phase != Phase::Closed => {
                if let Err(errno) = self.go_on(sys) {
                    self.fail(sys, errno);
                }
            }
            Event::Timer(n) if n == self.timer && self.phase != Phase::Closed => {
                if self.phase != Phase::Closing {
                    self.outcome.ending = Ending::TimedOut;
                }
                self.end(sys);
            }
            Event::Socket(_) | Event::Timer(_) | Event::Command => {}
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        (self.phase == Phase::Closed).then_some(&self.outcome)
    }

    super::program!();
}
