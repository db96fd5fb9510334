//! The shell around the pure part: it owns the terminal, reads keys and carries out effects.
//!
//! The terminal is put back by one function that may be called any number of times: at the normal end, on drop, in the
//! panic hook, on SIGTERM, SIGHUP and SIGINT, and around a suspension. Nothing is ever asked of the terminal; its size
//! comes from the kernel. While nothing is typed the process sleeps.

use crate::caps::Caps;
use crate::keys;
use crate::lesson::Lesson;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::update::update;
use crate::view;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{Event, KeyEventKind, read};
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::Rect;
use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::time::Duration;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Puts the terminal back as it was. Does nothing if it is not ours.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // there is nothing left to be done about an error here
        let mut bytes = Vec::new();
        let _ = queue!(bytes, EndSynchronizedUpdate, ResetColor, LeaveAlternateScreen, Show);
        let _ = write_past_lock(&bytes);
        let _ = disable_raw_mode();
    }
}

/// Writes to the terminal without waiting for the lock of standard output, which another thread may hold for ever.
fn write_past_lock(bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(mut tty) = std::fs::OpenOptions::new().write(true).open("/dev/tty") {
        return tty.write_all(bytes);
    }
    let mut out = stdout();
    out.write_all(bytes)?;
    out.flush()
}

fn take() -> io::Result<()> {
    // from here on there is something to restore, however far this comes
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide)
}

/// Restores the terminal when it goes.
#[derive(Debug)]
struct Guard;

impl Guard {
    fn new() -> io::Result<Self> {
        install();
        let guard = Guard;
        take()?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = stdout().flush();
        restore();
    }
}

/// Restores the terminal before a panic is told and when a signal ends the process; once per process.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
        #[cfg(unix)]
        signals();
    });
}

/// Restores the terminal, but gives up after that time: when the terminal itself has gone (SIGHUP), the main thread sits
/// in a read that neither ends nor lets go of the reader's lock, and waiting for it would keep the process alive.
#[cfg(unix)]
fn restore_within(limit: Duration) {
    let (done, waited) = std::sync::mpsc::channel();
    let work = move || {
        restore();
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("restore".to_owned()).spawn(work).is_ok() {
        let _ = waited.recv_timeout(limit);
    }
}

#[cfg(unix)]
fn signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let Ok(mut signals) = Signals::new([SIGTERM, SIGHUP, SIGINT]) else { return };
    let wait = move || {
        for signal in signals.forever() {
            restore_within(Duration::from_millis(200));
            // ends the process as the signal would have done, so that a parent sees why
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    // without the thread a signal would be swallowed: the handler is then better not there at all, which the drop of
    // `signals` inside the closure sees to
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
}

/// Stops the process until the user's shell says go on.
fn suspend() -> io::Result<()> {
    restore();
    #[cfg(unix)]
    signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
    take()
}

/// The screen: what is on it, and what is to be.
struct Screen {
    backend: CrosstermBackend<Stdout>,
    shown: Buffer,
}

impl Screen {
    fn new(width: u16, height: u16) -> Self {
        Screen { backend: CrosstermBackend::new(stdout()), shown: Buffer::empty(Rect::new(0, 0, width, height)) }
    }

    /// Empties the terminal, so that the next frame draws everything.
    fn clear(&mut self, width: u16, height: u16) -> io::Result<()> {
        queue!(self.backend, ResetColor, Clear(ClearType::All))?;
        self.shown = Buffer::empty(Rect::new(0, 0, width, height));
        Ok(())
    }

    /// Draws what differs.
    fn draw(&mut self, model: &Model<'_>) -> io::Result<()> {
        let mut next = Buffer::empty(self.shown.area);
        view::view(model, &mut next);
        queue!(self.backend, BeginSynchronizedUpdate)?;
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        queue!(self.backend, EndSynchronizedUpdate)?;
        Write::flush(&mut self.backend)?;
        self.shown = next;
        Ok(())
    }
}

/// How the terminal was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The reader is done.
    Quit,
    /// The reader goes on in plain text, at that stop.
    Plain(usize),
}

/// Shows a lesson until the reader leaves it.
///
/// # Errors
/// When the terminal cannot be taken or written to; it is restored all the same.
pub fn run(lesson: &Lesson<'_>, caps: Caps, start: usize) -> io::Result<End> {
    let (width, height) = size()?;
    let _guard = Guard::new()?;
    let mut model = Model::new(lesson, caps, (width, height));
    model.state.cursor = start.min(model.len().saturating_sub(1));
    let mut screen = Screen::new(width, height);
    screen.clear(width, height)?;
    loop {
        screen.draw(&model)?;
        let message = match read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => keys::message(&key),
            Event::Resize(w, h) => Message::Resize(w, h),
            _ => continue,
        };
        for effect in update(&mut model, message) {
            match effect {
                Effect::Quit => return Ok(End::Quit),
                Effect::Plain => return Ok(End::Plain(model.state.cursor)),
                Effect::Redraw => screen.clear(model.state.size.0, model.state.size.1)?,
                Effect::Suspend => {
                    suspend()?;
                    let (w, h) = size()?;
                    let _ = update(&mut model, Message::Resize(w, h));
                    screen.clear(w, h)?;
                }
            }
        }
    }
}
