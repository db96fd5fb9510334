//! What the API server accepts, and how it says no.
//!
//! Models: apimachinery pkg/util/validation (validation.go, ip.go, field/errors.go), pkg/api/validate/content,
//! kubernetes pkg/apis/core/validation/validation.go ValidatePod, ValidateNode (1.36).

use super::meta::{Labels, Object, ObjectMeta};
use super::node::Node;
use super::pod::{Container, Pod, PortProtocol};
use crate::packet::{Address, Prefix};
use std::fmt;

/// How a field is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// It is missing.
    Required,
    /// Its value cannot be; the value as the message shows it.
    Invalid(String),
    /// Its value must be unique.
    Duplicate(String),
    /// Its value is none of a closed list.
    NotSupported(String),
    /// It may not be set here.
    Forbidden,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// Which: `spec.containers[0].name`.
    pub field: String,
    /// How it is wrong.
    pub kind: FieldErrorKind,
    /// What is asked of it; may be empty.
    pub detail: String,
}

impl fmt::Display for FieldError {
    /// `metadata.name: Invalid value: "Web": a lowercase RFC 1123 …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.field)?;
        match &self.kind {
            FieldErrorKind::Required => f.write_str("Required value")?,
            FieldErrorKind::Invalid(v) => write!(f, "Invalid value: {v}")?,
            FieldErrorKind::Duplicate(v) => write!(f, "Duplicate value: {v}")?,
            FieldErrorKind::NotSupported(v) => write!(f, "Unsupported value: {v}")?,
            FieldErrorKind::Forbidden => f.write_str("Forbidden")?,
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

fn required(field: impl Into<String>, detail: &str) -> FieldError {
    FieldError { field: field.into(), kind: FieldErrorKind::Required, detail: detail.to_owned() }
}

fn invalid(field: impl Into<String>, value: &str, detail: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), kind: FieldErrorKind::Invalid(format!("{value:?}")), detail: detail.into() }
}

fn duplicate(field: impl Into<String>, value: &str) -> FieldError {
    FieldError { field: field.into(), kind: FieldErrorKind::Duplicate(format!("{value:?}")), detail: String::new() }
}

/// All that is wrong with an object, as the API server answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// `Pod`.
    pub kind: &'static str,
    /// Name of the object.
    pub name: String,
    /// The fields.
    pub fields: Vec<FieldError>,
}

impl fmt::Display for Invalid {
    /// `Pod "Web" is invalid: metadata.name: Invalid value: …`; several fields in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} is invalid: ", self.kind, self.name)?;
        match self.fields.as_slice() {
            [one] => write!(f, "{one}"),
            many => write!(f, "[{}]", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

const LABEL_FMT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FMT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED_FMT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const VALUE_FMT: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn not_of(what: &str, fmt: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    format!("{what} (e.g. {}regex used for validation is '{fmt}')", examples.join(" or "))
}

fn label_shape(s: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !s.is_empty() && s.bytes().all(inner) && !s.starts_with('-') && !s.ends_with('-')
}

fn name_shape(s: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    edge(s.as_bytes().first()) && edge(s.as_bytes().last()) && s.bytes().all(inner)
}

/// What is wrong with `s` as a DNS label (names of containers, Services, namespaces).
pub fn dns1123_label(s: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if s.len() > 63 {
        wrong.push(too_long(63));
    }
    if !label_shape(s) {
        wrong.push(if s.split('.').all(label_shape) {
            "must not contain dots".to_owned()
        } else {
            not_of(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL_FMT,
                &["my-name", "123-abc"],
            )
        });
    }
    wrong
}

/// What is wrong with `s` as a DNS subdomain (names of pods and nodes).
pub fn dns1123_subdomain(s: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if s.len() > 253 {
        wrong.push(too_long(253));
    }
    if !s.split('.').all(label_shape) {
        wrong.push(not_of(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN_FMT,
            &["example.com"],
        ));
    }
    wrong
}

/// What is wrong with `s` as the name of a port.
pub fn port_name(s: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if s.len() > 15 {
        wrong.push(too_long(15));
    }
    if s.is_empty() || !s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !s.bytes().any(|b| b.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if s.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if s.starts_with('-') || s.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// What is wrong with `s` as the key of a label: an optional DNS subdomain, a slash, a name.
pub fn label_key(s: &str) -> Vec<String> {
    let (prefix, name) = match s.split_once('/') {
        Some((p, n)) => (Some(p), n),
        None => (None, s),
    };
    let name_message = |what: &str| not_of(what, QUALIFIED_FMT, &["MyName", "my.name", "123-abc"]);
    if name.contains('/') {
        let what = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        return vec![format!("{} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')", name_message(what))];
    }
    let mut wrong = Vec::new();
    match prefix {
        Some("") => wrong.push("prefix part must be non-empty".to_owned()),
        Some(p) => wrong.extend(dns1123_subdomain(p).into_iter().map(|m| format!("prefix part {m}"))),
        None => {}
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push(format!("name part {}", too_long(63)));
    }
    if !name_shape(name) {
        wrong.push(name_message(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ));
    }
    wrong
}

/// What is wrong with `s` as the value of a label.
pub fn label_value(s: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if s.len() > 63 {
        wrong.push(too_long(63));
    }
    if !s.is_empty() && !name_shape(s) {
        wrong.push(not_of(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            VALUE_FMT,
            &["MyValue", "my_value", "12345"],
        ));
    }
    wrong
}

/// Reads a range such as a podCIDR.
///
/// # Errors
/// When it is no range. Bits behind the length are cut off, as the API server does with a warning.
pub fn cidr<A: Address>(field: &str, text: &str) -> Result<Prefix<A>, FieldError> {
    let bad = || invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    if !text.contains('/') {
        return Err(bad());
    }
    Prefix::parse_interface(text).map(|(_, range)| range).map_err(|_| bad())
}

/// Reads an address.
///
/// # Errors
/// When it is no address of the family.
pub fn ip<A: Address>(field: &str, text: &str) -> Result<A, FieldError> {
    text.parse().map_err(|_| invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
}

/// Reads a port number.
///
/// # Errors
/// When it is not between 1 and 65535.
pub fn port(field: &str, number: i64) -> Result<u16, FieldError> {
    u16::try_from(number).ok().filter(|n| *n > 0).ok_or_else(|| FieldError {
        field: field.to_owned(),
        kind: FieldErrorKind::Invalid(number.to_string()),
        detail: "must be between 1 and 65535, inclusive".to_owned(),
    })
}

/// Reads a protocol.
///
/// # Errors
/// When it is none of TCP, UDP, SCTP.
pub fn protocol(field: &str, text: &str) -> Result<PortProtocol, FieldError> {
    match text {
        "TCP" => Ok(PortProtocol::Tcp),
        "UDP" => Ok(PortProtocol::Udp),
        "SCTP" => Ok(PortProtocol::Sctp),
        _ => Err(FieldError {
            field: field.to_owned(),
            kind: FieldErrorKind::NotSupported(format!("{text:?}")),
            detail: "supported values: \"SCTP\", \"TCP\", \"UDP\"".to_owned(),
        }),
    }
}

fn labels(wrong: &mut Vec<FieldError>, field: &str, labels: &Labels) {
    for (k, v) in labels {
        wrong.extend(label_key(k).into_iter().map(|m| invalid(field, k, m)));
        wrong.extend(label_value(v).into_iter().map(|m| invalid(field, v, m)));
    }
}

fn metadata(wrong: &mut Vec<FieldError>, meta: &ObjectMeta, namespaced: bool, name_rule: fn(&str) -> Vec<String>) {
    if meta.name().is_empty() {
        wrong.push(required("metadata.name", "name or generateName is required"));
    } else {
        wrong.extend(name_rule(meta.name()).into_iter().map(|m| invalid("metadata.name", meta.name(), m)));
    }
    if namespaced {
        if meta.namespace().is_empty() {
            wrong.push(required("metadata.namespace", ""));
        } else {
            wrong.extend(dns1123_label(meta.namespace()).into_iter().map(|m| invalid("metadata.namespace", meta.namespace(), m)));
        }
    }
    labels(wrong, "metadata.labels", &meta.labels);
}

fn finish<T: Object>(object: &T, fields: Vec<FieldError>) -> Result<(), Invalid> {
    if fields.is_empty() {
        return Ok(());
    }
    Err(Invalid { kind: T::KIND, name: object.meta().name().to_string(), fields })
}

/// Checks a node.
///
/// # Errors
/// All fields that are wrong.
pub fn node(node: &Node) -> Result<(), Invalid> {
    let mut wrong = Vec::new();
    metadata(&mut wrong, &node.meta, false, dns1123_subdomain);
    finish(node, wrong)
}

/// Checks a pod.
///
/// # Errors
/// All fields that are wrong.
pub fn pod(pod: &Pod) -> Result<(), Invalid> {
    let mut wrong = Vec::new();
    metadata(&mut wrong, &pod.meta, true, dns1123_subdomain);
    if pod.spec.containers.is_empty() {
        wrong.push(required("spec.containers", ""));
    }
    let mut host_ports = Vec::new();
    for (i, c) in pod.spec.containers.iter().enumerate() {
        let field = format!("spec.containers[{i}]");
        if c.name.is_empty() {
            wrong.push(required(format!("{field}.name"), ""));
        } else if pod.spec.containers[..i].iter().any(|d| d.name == c.name) {
            wrong.push(duplicate(format!("{field}.name"), &c.name));
        } else {
            wrong.extend(dns1123_label(&c.name).into_iter().map(|m| invalid(format!("{field}.name"), &c.name, m)));
        }
        container_ports(&mut wrong, &field, c, pod.spec.host_network, &mut host_ports);
    }
    if let Some(n) = &pod.spec.node_name {
        wrong.extend(dns1123_subdomain(n).into_iter().map(|m| invalid("spec.nodeName", n, m)));
    }
    finish(pod, wrong)
}

fn container_ports(wrong: &mut Vec<FieldError>, field: &str, c: &Container, host_network: bool, host_ports: &mut Vec<String>) {
    for (i, p) in c.ports.iter().enumerate() {
        let at = format!("{field}.ports[{i}]");
        if let Some(name) = &p.name {
            if c.ports[..i].iter().any(|q| q.name.as_ref() == Some(name)) {
                wrong.push(duplicate(format!("{at}.name"), name));
            } else {
                wrong.extend(port_name(name).into_iter().map(|m| invalid(format!("{at}.name"), name, m)));
            }
        }
        if p.container_port == 0 {
            wrong.push(required(format!("{at}.containerPort"), ""));
        }
        let Some(host_port) = p.host_port else { continue };
        if host_network && host_port != p.container_port {
            wrong.push(FieldError {
                field: format!("{at}.hostPort"),
                kind: FieldErrorKind::Invalid(host_port.to_string()),
                detail: "must match `containerPort` when `hostNetwork` is true".to_owned(),
            });
        }
        let taken = format!("{}/{}/{host_port}", p.protocol, p.host_ip.map(|a| a.to_string()).unwrap_or_default());
        if host_ports.contains(&taken) {
            wrong.push(duplicate(format!("{at}.hostPort"), &taken));
        } else {
            host_ports.push(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::meta::ObjectKey;
    use super::super::pod::ContainerPort;
    use super::*;
    use crate::packet::Ipv4Addr;

    fn a_pod(name: &str) -> Pod {
        Pod::new(ObjectKey::new("default", name))
    }

    fn said(p: &Pod) -> String {
        pod(p).unwrap_err().to_string()
    }

    #[test]
    fn names() {
        let mut p = a_pod("web-1.x");
        assert_eq!(
            said(&p),
            "Pod \"web-1.x\" is invalid: spec.containers[0].name: Invalid value: \"web-1.x\": must not contain dots",
            "a container's name is a label"
        );
        p.spec_mut().containers[0].name = "web".into();
        assert_eq!(pod(&p), Ok(()));
        let mut p = a_pod("Web");
        p.spec_mut().containers[0].name = "web".into();
        assert_eq!(
            said(&p),
            "Pod \"Web\" is invalid: metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        );
        let mut p = a_pod("web");
        p.spec_mut().containers[0].name = "-x".into();
        assert_eq!(
            said(&p),
            "Pod \"web\" is invalid: spec.containers[0].name: Invalid value: \"-x\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        );
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        for bad in ["", ".", "a..b", "a.", "ä", "a_b"] {
            assert!(!dns1123_subdomain(bad).is_empty(), "{bad}");
        }
        assert_eq!(
            node(&Node::new("")).unwrap_err().to_string(),
            "Node \"\" is invalid: metadata.name: Required value: name or generateName is required"
        );
    }

    #[test]
    fn several_wrong_fields_come_at_once() {
        let mut p = a_pod("web");
        let mut twice = p.spec.containers[0].clone();
        twice.ports.push(ContainerPort { name: Some("a--b".into()), ..Default::default() });
        p.spec_mut().containers.push(twice);
        assert_eq!(
            said(&p),
            "Pod \"web\" is invalid: [spec.containers[1].name: Duplicate value: \"web\", spec.containers[1].ports[0].name: Invalid value: \"a--b\": must not contain consecutive hyphens, spec.containers[1].ports[0].containerPort: Required value]"
        );
    }

    #[test]
    fn host_ports() {
        let mut p = a_pod("web");
        let port = |c, h| ContainerPort { container_port: c, host_port: Some(h), ..Default::default() };
        p.spec_mut().containers[0].ports = vec![port(80, 8080), port(81, 8080)];
        assert_eq!(said(&p), "Pod \"web\" is invalid: spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//8080\"");
        p.spec_mut().host_network = true;
        p.spec_mut().containers[0].ports = vec![port(80, 8080)];
        assert_eq!(
            said(&p),
            "Pod \"web\" is invalid: spec.containers[0].ports[0].hostPort: Invalid value: 8080: must match `containerPort` when `hostNetwork` is true"
        );
    }

    #[test]
    fn labels_of_objects() {
        let mut p = a_pod("web");
        p.meta.labels.insert("example.com/".into(), "ok".into());
        p.meta.labels.insert("app".into(), "-no".into());
        let fields = pod(&p).unwrap_err().fields;
        let details: Vec<&str> = fields.iter().map(|f| f.detail.split(" (e.g.").next().unwrap()).collect();
        assert_eq!(
            details,
            [
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
                "name part must be non-empty",
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            ]
        );
    }

    #[test]
    fn values_of_fields() {
        assert_eq!(
            cidr::<Ipv4Addr>("spec.podCIDRs[0]", "10.244.0.0").unwrap_err().to_string(),
            "spec.podCIDRs[0]: Invalid value: \"10.244.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        );
        assert_eq!(cidr::<Ipv4Addr>("x", "10.244.0.7/24").unwrap().to_string(), "10.244.0.0/24");
        assert_eq!(port("p", 65_536).unwrap_err().to_string(), "p: Invalid value: 65536: must be between 1 and 65535, inclusive");
        assert_eq!(port("p", 0).unwrap_err().to_string(), "p: Invalid value: 0: must be between 1 and 65535, inclusive");
        assert_eq!(
            protocol("p", "HTTP").unwrap_err().to_string(),
            "p: Unsupported value: \"HTTP\": supported values: \"SCTP\", \"TCP\", \"UDP\""
        );
        assert_eq!(
            ip::<Ipv4Addr>("p", "10.0.0.256").unwrap_err().to_string(),
            "p: Invalid value: \"10.0.0.256\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        );
    }
}
