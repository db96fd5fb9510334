//! Starting tools in a namespace: arguments, never a shell.

use super::LabError;
use super::netns::Namespace;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a tool said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Exit status; 127 if it could not be started.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Where tools are looked for; nothing of the environment is passed on.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a tool is installed.
pub fn is_there(name: &str) -> bool {
    PATH.split(':').any(|d| Path::new(d).join(name).exists())
}

/// The tool by the name that is surely the one whose rules the trace of nftables shows.
fn real_name(name: &str) -> String {
    let nft = match name {
        "iptables" | "ip6tables" => format!("{name}-nft"),
        "iptables-restore" => "iptables-nft-restore".to_owned(),
        "ip6tables-restore" => "ip6tables-nft-restore".to_owned(),
        _ => return name.to_owned(),
    };
    if is_there(&nft) { nft } else { name.to_owned() }
}

/// Runs a tool in a namespace and waits for its end.
///
/// # Errors
/// When the namespace cannot be entered.
pub fn run(ns: &Namespace, words: &[String], input: Option<&str>) -> Result<Said, LabError> {
    let [name, arguments @ ..] = words else { return Ok(Said::default()) };
    let said = ns.inside(|| -> io::Result<Said> {
        let mut child = Command::new(real_name(name))
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let writer = child.stdin.take();
        std::thread::scope(|s| {
            if let (Some(mut stdin), Some(text)) = (writer, input) {
                // a tool that ends early closes its input; what it says tells why
                s.spawn(move || drop(stdin.write_all(text.as_bytes())));
            }
            let out = child.wait_with_output()?;
            Ok(Said {
                status: out.status.code().unwrap_or(128),
                out: String::from_utf8_lossy(&out.stdout).into_owned(),
                err: String::from_utf8_lossy(&out.stderr).into_owned(),
            })
        })
    });
    match said {
        Ok(Ok(s)) => Ok(s),
        Ok(Err(e)) => Ok(Said { status: 127, out: String::new(), err: format!("{name}: {e}") }),
        Err(e) => Err(LabError::NotAllowed(e.to_string())),
    }
}

/// Words from a text without blanks inside of words.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
