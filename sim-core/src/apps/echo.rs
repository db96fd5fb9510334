//! The server of a scenario's `listen`.
//!
//! TCP: each chunk that comes in goes back with `-ok` behind it; when the other side closes, it closes too. Who speaks
//! HTTP is answered in HTTP instead. UDP: each datagram is answered with `re:` and its first five bytes.

use super::outcome::Outcome;
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::SocketKind;
use crate::linux::{Errno, FlowId, SocketId};
use crate::packet::{Endpoint, IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of an HTTP head that are waited for.
const HEAD_MAX: usize = 8192;

/// What to listen on, and how to answer HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The server's name, for its answers.
    pub name: Arc<str>,
    /// TCP or UDP.
    pub kind: SocketKind,
    /// Address (unspecified: any) and port.
    pub at: Endpoint<IpAddr>,
    /// HTTP status.
    pub status: u16,
    /// How long HTTP answers take.
    pub delay: Duration,
}

impl Listen {
    /// A server of TCP `port` at any address, that answers HTTP with 200 at once.
    pub fn tcp(name: impl Into<Arc<str>>, port: u16) -> Self {
        let at = Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), port);
        Listen { name: name.into(), kind: SocketKind::Tcp, at, status: 200, delay: Duration::ZERO }
    }

    /// A server of UDP `port` at any address.
    pub fn udp(name: impl Into<Arc<str>>, port: u16) -> Self {
        Listen { kind: SocketKind::Udp, ..Listen::tcp(name, port) }
    }
}

/// A client that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The socket that it was seen on: for TCP that of the connection.
    pub socket: SocketId,
    /// The client's end.
    pub client: Endpoint<IpAddr>,
    /// The server's own end.
    pub local: Endpoint<IpAddr>,
    /// Bytes of the datagram, or of the first chunk.
    pub bytes: usize,
    /// The flow that it belongs to.
    pub flow: FlowId,
}

#[derive(Clone, Debug)]
struct Connection {
    socket: SocketId,
    /// Place in the list of clients.
    seen: usize,
    /// What was not answered yet: an HTTP head that is not complete.
    head: Vec<u8>,
    /// Answers that could not be sent yet.
    unsent: Vec<u8>,
    http: bool,
    /// HTTP answers that wait for their delay.
    delayed: u32,
    /// The other side has closed.
    over: bool,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Echo {
    listen: Listen,
    socket: SocketId,
    failed: Option<Outcome>,
    connections: Vec<Connection>,
    /// By timer number: whose delayed answer it is for, and whether that was HEAD.
    timers: Vec<(SocketId, bool)>,
    seen: Vec<Seen>,
}

impl Echo {
    /// A server.
    pub fn new(listen: Listen) -> Self {
        Echo { listen, socket: SocketId::NONE, failed: None, connections: Vec::new(), timers: Vec::new(), seen: Vec::new() }
    }

    /// What it listens on.
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// The clients that were seen: each connection and each datagram, in order.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    fn start(&mut self, sys: &mut dyn Syscalls) {
        self.socket = sys.socket(self.listen.kind);
        let mut begun = sys.bind(self.socket, self.listen.at);
        if begun.is_ok() && self.listen.kind == SocketKind::Tcp {
            begun = sys.listen(self.socket);
        }
        if let Err(errno) = begun {
            sys.close(self.socket);
            self.failed = Some(Outcome { immediate: true, ..Outcome::error(errno) });
        }
    }

    fn accept(&mut self, sys: &mut dyn Syscalls) {
        while let Some(socket) = sys.accept(self.socket) {
            let (Some(client), Some(local)) = (sys.peer(socket), sys.local(socket)) else { continue };
            self.seen.push(Seen { socket, client, local, bytes: 0, flow: sys.flow_of(socket) });
            let seen = self.seen.len() - 1;
            let new = Connection { socket, seen, head: Vec::new(), unsent: Vec::new(), http: false, delayed: 0, over: false };
            self.connections.push(new);
            self.serve(sys, self.connections.len() - 1);
        }
    }

    /// Reads and answers; closes when the other side has closed and all is answered.
    fn serve(&mut self, sys: &mut dyn Syscalls, at: usize) {
        let Some(c) = self.connections.get_mut(at) else { return };
        loop {
            match sys.recv(c.socket) {
                Ok(data) if data.is_empty() => {
                    c.over = true;
                    break;
                }
                Ok(data) => {
                    let seen = &mut self.seen[c.seen];
                    if seen.bytes == 0 {
                        seen.bytes = data.len();
                        c.http = is_http(&data);
                    }
                    if c.http {
                        c.head.extend_from_slice(&data);
                        while let Some(end) = head_end(&c.head) {
                            let to_head = c.head.starts_with(b"HEAD ");
                            c.head.drain(..end);
                            if self.listen.delay.is_zero() {
                                c.unsent.extend(answer(&self.listen, to_head));
                            } else {
                                c.delayed += 1;
                                self.timers.push((c.socket, to_head));
                                sys.set_timer(self.listen.delay, self.timers.len() as u32);
                            }
                        }
                        c.head.truncate(HEAD_MAX);
                    } else {
                        c.unsent.extend_from_slice(&data);
                        c.unsent.extend_from_slice(b"-ok");
                    }
                    // Each chunk is answered on its own.
                    write(sys, c);
                }
                Err(Errno::EAGAIN) => break,
                Err(_) => {
                    c.over = true;
                    c.delayed = 0;
                    c.unsent.clear();
                    break;
                }
            }
        }
        write(sys, c);
        if c.over && c.unsent.is_empty() && c.delayed == 0 {
            sys.close(c.socket);
            self.connections.remove(at);
        }
    }

    fn delayed(&mut self, sys: &mut dyn Syscalls, number: u32) {
        let Some((socket, to_head)) = (number as usize).checked_sub(1).and_then(|n| self.timers.get(n).copied()) else { return };
        let Some(at) = self.connections.iter().position(|c| c.socket == socket) else { return };
        let c = &mut self.connections[at];
        c.delayed = c.delayed.saturating_sub(1);
        c.unsent.extend(answer(&self.listen, to_head));
        self.serve(sys, at);
    }

    fn datagrams(&mut self, sys: &mut dyn Syscalls) {
        loop {
            match sys.recv_from(self.socket) {
                Ok(d) => {
                    self.seen.push(Seen { socket: self.socket, client: d.from, local: d.to, bytes: d.data.len(), flow: d.flow });
                    let reply = [b"re:", d.data.get(..5).unwrap_or(&d.data)].concat();
                    sys.set_flow(self.socket, d.flow);
                    // A reply that cannot be sent is no concern of the server.
                    let _ = sys.send_to(self.socket, d.from, &reply);
                }
                Err(Errno::EAGAIN) => return,
                Err(_) => {}
            }
        }
    }
}

fn write(sys: &mut dyn Syscalls, c: &mut Connection) {
    while !c.unsent.is_empty() {
        match sys.send(c.socket, &c.unsent) {
            Ok(n) => {
                c.unsent.drain(..n.min(c.unsent.len()));
            }
            Err(Errno::EAGAIN) => return,
            Err(_) => {
                c.unsent.clear();
                c.delayed = 0;
                c.over = true;
            }
        }
    }
}

/// Whether the first bytes look like an HTTP request: a method in capitals, a space, and a path.
fn is_http(data: &[u8]) -> bool {
    let Some(space) = data.iter().position(|b| *b == b' ') else { return false };
    (3..=7).contains(&space) && data[..space].iter().all(u8::is_ascii_uppercase) && matches!(data.get(space + 1), Some(b'/' | b'*'))
}

fn head_end(data: &[u8]) -> Option<usize> {
    data.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// The words that belong to a status (RFC 9110 section 15).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

fn answer(listen: &Listen, to_head: bool) -> Vec<u8> {
    let body = match listen.status {
        204 | 304 => String::new(),
        200 => format!("hello from {}\n", listen.name),
        status => format!("{status} {} from {}\n", reason(status), listen.name),
    };
    let mut text = format!(
        "HTTP/1.1 {} {}\r\nServer: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        listen.status,
        reason(listen.status),
        listen.name,
        body.len()
    );
    if !to_head {
        text.push_str(&body);
    }
    text.into_bytes()
}

impl Program for Echo {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => self.start(sys),
            Event::Socket(id) if id == self.socket && self.listen.kind == SocketKind::Tcp => self.accept(sys),
            Event::Socket(id) if id == self.socket => self.datagrams(sys),
            Event::Socket(id) => {
                if let Some(at) = self.connections.iter().position(|c| c.socket == id) {
                    self.serve(sys, at);
                }
            }
            Event::Timer(n) => self.delayed(sys, n),
            Event::Command => {}
        }
    }

    /// That it could not listen; none as long as it serves.
    fn outcome(&self) -> Option<&Outcome> {
        self.failed.as_ref()
    }

    super::program!();
}
