//! Meanings in the sixteen colours that every terminal has; body text keeps the terminal's own.

use sim_core::report::Style;
use sim_core::report::doc::Role;

/// Text with colours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Painted;

impl Style for Painted {
    fn paint(&self, role: Role, text: &str, out: &mut String) {
        let code = match role {
            Role::Title => "1",
            Role::Place => "1;36",
            Role::Device => "36",
            Role::Layer => "2",
            Role::Packet => "33",
            Role::Won => "1",
            Role::Changed => "1;33",
            Role::Bad => "31",
            Role::Good => "32",
            Role::Lost | Role::Time | Role::Number | Role::Muted => "2",
            Role::Plain | Role::Why => {
                out.push_str(text);
                return;
            }
        };
        out.push_str("\u{1b}[");
        out.push_str(code);
        out.push('m');
        out.push_str(text);
        out.push_str("\u{1b}[0m");
    }
}
