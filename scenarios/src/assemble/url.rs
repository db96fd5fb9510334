//! `http://HOST[:PORT]/PATH`.

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host: an address or a name.
    pub host: String,
    /// Port; 80 if none is written.
    pub port: u16,
    /// Path, with its slash.
    pub path: String,
}

impl Url {
    /// The `Host:` header.
    pub fn authority(&self) -> String {
        if self.port == 80 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Reads an address.
///
/// # Errors
/// From which byte to which it is wrong, and what is.
pub fn parse(s: &str) -> Result<Url, (usize, usize, String)> {
    let Some(rest) = s.strip_prefix("http://") else {
        let what = if s.starts_with("https://") {
            "TLS is not simulated; write http://".to_owned()
        } else {
            "this is no http:// address".to_owned()
        };
        return Err((0, s.find("://").map_or(s.len(), |i| i + 3), what));
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let (host, port) = match authority.rsplit_once(':') {
        Some((h, p)) => match p.parse::<u16>() {
            Ok(n) if n > 0 => (h, n),
            _ => return Err((7 + h.len() + 1, 7 + authority.len(), format!("`{p}` is no port"))),
        },
        None => (authority, 80),
    };
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        return Err((7, 7 + authority.len().max(1), "this is no host name or address".to_owned()));
    }
    Ok(Url { host: host.to_owned(), port, path: if path.is_empty() { "/".to_owned() } else { path.to_owned() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        assert_eq!(parse("http://shop.example.com/cart"), Ok(Url { host: "shop.example.com".into(), port: 80, path: "/cart".into() }));
        assert_eq!(parse("http://10.0.0.1:8080").map(|u| (u.authority(), u.path)), Ok(("10.0.0.1:8080".into(), "/".into())));
        for bad in ["", "https://x/", "http://", "http://x:0/", "http://x:y/", "http://a b/"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
