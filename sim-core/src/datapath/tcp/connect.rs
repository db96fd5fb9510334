//! How a connection begins and ends at the wish of its program.
//!
//! Models: net/ipv4/tcp_output.c tcp_connect; net/ipv4/tcp.c tcp_close, tcp_shutdown, tcp_recvmsg, tcp_cleanup_rbuf.
//! Spec: RFC 9293 section 3.10.
//! Simplifies: no SO_LINGER; close(2) never blocks.
//! Seen in: 16-no-route, 20-arp-failure, 21-closed-ports.

use super::conn::Conn;
use crate::linux::Errno;
use crate::linux::socket::tcp::TcpState;
use crate::packet::Bytes;

impl Conn<'_> {
    /// Sends the SYN, for a path of `mtu` bytes.
    pub fn open(&mut self, iss: u32, ts_offset: u32, mtu: u32) {
        let agreed = &mut self.t.agreed;
        (agreed.timestamps, agreed.sack, agreed.wscale) = (true, true, true);
        self.init(iss, ts_offset, mtu, false);
        self.set_state(TcpState::SynSent);
        self.send_syn();
        self.start_handshake_timer();
    }

    /// No more data from here: a FIN follows what waits to be sent (tcp_shutdown, tcp_close_state).
    pub fn shutdown(&mut self) {
        match self.t.state {
            TcpState::SynSent => {
                self.done(None);
                return;
            }
            TcpState::Established | TcpState::SynRecv => self.set_state(TcpState::FinWait1),
            TcpState::CloseWait => self.set_state(TcpState::LastAck),
            _ => return,
        }
        self.t.snd.fin = true;
        self.push_pending(false);
    }

    /// The program lets go (tcp_close). Unread data means a reset.
    pub fn close(&mut self) {
        self.t.orphan = true;
        let unread = self.t.rcv.ready_len > 0;
        self.t.rcv.ready.clear();
        self.t.rcv.ready_len = 0;
        match self.t.state {
            TcpState::Close => self.forget(),
            TcpState::TimeWait => {}
            state if unread && state != TcpState::SynSent => self.abort(),
            TcpState::FinWait2 => self.linger(TcpState::FinWait2, self.limits.fin_timeout),
            _ => self.shutdown(),
        }
    }

    /// Ends the connection with a reset (tcp_disconnect).
    pub fn abort(&mut self) {
        self.send_reset();
        self.done(None);
    }

    /// Ends the connection without a word: nobody needs it any more.
    pub fn forget(&mut self) {
        self.t.orphan = true;
        self.done(None);
    }

    /// Ends TIME_WAIT before its time: the ends are needed for a new connection.
    pub fn expire(&mut self) {
        self.done(None);
    }

    /// What has come in; empty at the end of the stream.
    ///
    /// # Errors
    /// EAGAIN when there is nothing yet, ENOTCONN.
    pub fn recv(&mut self) -> Result<Bytes, Errno> {
        let rcv = &mut self.t.rcv;
        if rcv.ready_len == 0 {
            return match self.t.state {
                _ if rcv.fin => Ok(Bytes::EMPTY),
                TcpState::Listen => Err(Errno::ENOTCONN),
                TcpState::Close if self.t.agreed.advmss == 0 => Err(Errno::ENOTCONN),
                TcpState::Close | TcpState::TimeWait => Ok(Bytes::EMPTY),
                _ => Err(Errno::EAGAIN),
            };
        }
        let data = if rcv.ready.len() == 1 {
            rcv.ready.pop_front().unwrap_or_default()
        } else {
            let all: Vec<u8> = rcv.ready.drain(..).flat_map(|b| b.to_vec()).collect();
            all.into()
        };
        rcv.ready_len = 0;
        // A window that was nearly closed has opened (tcp_cleanup_rbuf).
        let left = rcv.window_left();
        if self.t.state.may_receive() && left * 2 <= rcv.buffer && rcv.space() >= left * 2 {
            self.send_ack();
        }
        Ok(data)
    }
}
