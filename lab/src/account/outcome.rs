//! What a client saw, in a golden's words.

use super::words::Words;
use serde_json::{Map, Value, json};
use sim_core::apps::outcome::Ending;
use sim_core::engine::{FlowKind, FlowRecord};
use sim_core::linux::NetnsId;

/// The keys of one action's outcome; `label` names namespaces.
pub fn of(o: &Words<'_>, label: &dyn Fn(NetnsId) -> String, f: &FlowRecord) -> Map<String, Value> {
    let mut m = Map::new();
    let udp = matches!(f.spec.kind, FlowKind::Udp { .. });
    let out = &f.outcome;
    let seconds = (f.ended.since(f.began).as_millis() + 500) / 1000;
    let failure = |m: &mut Map<String, Value>| {
        let name = out.errno.map_or("?", |e| e.name());
        if out.immediate {
            m.insert("result".into(), json!(name));
            m.insert("immediate".into(), json!(true));
            // a send that the host itself refuses leaves its reason in the error queue only where the kernel queues one
            if out.info != 0 {
                m.insert("err".into(), json!({"errno": name, "origin": "local", "icmp": [0, 0], "info": out.info, "offender": "0.0.0.0"}));
            }
        } else if let Some((t, c)) = out.icmp {
            m.insert("result".into(), json!("error"));
            let offender = out.offender.map_or(Value::Null, |a| json!(a.to_string()));
            m.insert("err".into(), json!({"errno": name, "origin": "icmp", "icmp": [t, c], "info": out.info, "offender": offender}));
            m.insert("after_s".into(), json!(seconds));
        } else {
            m.insert("result".into(), json!(name));
        }
    };
    match (&f.spec.kind, out.ending) {
        (FlowKind::Ping { .. }, Ending::Replied) => {
            m.insert("result".into(), json!("echo-reply"));
            if let Some((from, ttl)) = out.answer {
                m.insert("from".into(), json!(from.to_string()));
                m.insert("ttl".into(), json!(ttl));
            }
        }
        (FlowKind::Ping { .. } | FlowKind::Udp { .. }, Ending::NoReply) => {
            m.insert("result".into(), json!("no-reply"));
        }
        (FlowKind::Udp { .. }, Ending::Replied) => {
            m.insert("result".into(), json!("reply"));
            m.insert("bytes".into(), json!(out.received));
        }
        (FlowKind::Ping { .. } | FlowKind::Udp { .. }, _) => failure(&mut m),
        (FlowKind::Tcp { hold, .. }, Ending::Connected) => {
            m.insert("result".into(), json!("connected"));
            if let Some((own, peer)) = out.client_saw {
                m.insert("client_saw".into(), json!([o.endpoint(own), o.endpoint(peer)]));
            }
            if let Some(s) = out.server {
                m.insert("server".into(), json!(label(s.netns)));
                m.insert("server_saw".into(), json!([o.endpoint(s.client), o.endpoint(s.local)]));
            }
            if !hold {
                m.insert("sent".into(), json!(out.sent));
                m.insert("echoed".into(), json!(out.received));
            }
        }
        (FlowKind::Tcp { .. }, Ending::TimedOut) if out.errno.is_none() => {
            m.insert("result".into(), json!("timeout"));
            let window = f.spec.options.timeout.map_or(800, |t| t.as_millis() as u64);
            m.insert("window_s".into(), tenths(window));
        }
        (FlowKind::Tcp { .. }, _) => {
            m.insert("result".into(), json!(out.errno.map_or("?", |e| e.name())));
            if out.immediate {
                m.insert("immediate".into(), json!(true));
            } else {
                m.insert("after_s".into(), json!(seconds));
            }
        }
        (FlowKind::Send { .. }, _) => {
            m.insert("sent".into(), json!(out.sent));
            m.insert("echoed".into(), json!(out.received));
        }
        (FlowKind::Raw { .. }, Ending::Sent) => {
            m.insert("result".into(), json!("sent"));
        }
        (FlowKind::Raw { .. }, _) => {
            m.insert("result".into(), json!(out.errno.map_or("?", |e| e.name())));
            m.insert("immediate".into(), json!(true));
        }
        (FlowKind::Run { .. }, ending) => {
            let (stdout, stderr) = out.output.as_ref().map_or(("", ""), |(a, b)| (&**a, &**b));
            let code = match ending {
                Ending::Exited(c) => c,
                _ => 0,
            };
            m.insert("rc".into(), json!(code));
            // hardware addresses of devices that have a name are told by it
            let word = |w: &str| w.parse().ok().and_then(|mac| o.device.device_of(mac)).unwrap_or_else(|| w.to_owned());
            let lines: Vec<String> = stdout.trim().lines().map(|l| l.split_whitespace().map(word).collect::<Vec<_>>().join(" ")).collect();
            m.insert("stdout".into(), json!(lines));
            m.insert("stderr".into(), json!(stderr.trim()));
        }
        (FlowKind::Serve { .. }, Ending::Sent) => {
            m.insert("result".into(), json!("listening"));
        }
        (FlowKind::Serve { .. }, _) => {
            m.insert("result".into(), json!(out.errno.map_or("?", |e| e.name())));
        }
        (FlowKind::Http { .. }, Ending::Status(status)) => {
            m.insert("result".into(), json!(status));
            m.insert("received".into(), json!(out.received));
        }
        (FlowKind::Http { .. }, _) => {
            m.insert("result".into(), out.errno.map_or_else(|| json!(format!("{:?}", out.ending)), |e| json!(e.name())));
        }
        (FlowKind::Close { .. } | FlowKind::Sleep(_), _) => {}
    }
    if udp && let Some(s) = out.server {
        m.insert("server".into(), json!(label(s.netns)));
        m.insert("server_saw".into(), json!([o.endpoint(s.client)]));
        m.insert("server_bytes".into(), json!(s.bytes));
    }
    m
}

/// Milliseconds as a JSON number of seconds, written as the golden writes it (0.8, 4).
fn tenths(ms: u64) -> Value {
    let text = if ms.is_multiple_of(1000) {
        (ms / 1000).to_string()
    } else {
        format!("{}.{}", ms / 1000, format!("{:03}", ms % 1000).trim_end_matches('0'))
    };
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
