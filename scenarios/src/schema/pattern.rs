//! A step with holes: which step of the trace is meant.

use super::value::{At, Word};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::fmt;

/// The first step that fits all that is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPattern {
    /// Name of the flow that it belongs to.
    #[serde(default)]
    pub flow: Option<At<String>>,
    /// Whether the packet goes to the flow's destination or comes back.
    #[serde(default)]
    pub direction: Option<At<Direction>>,
    /// The place; `*` stands for any text.
    #[serde(default)]
    pub on: Option<At<String>>,
    /// The device.
    #[serde(default)]
    pub dev: Option<At<String>>,
    /// Kind of the step, as the trace names it, with `_` for `-`.
    #[serde(default)]
    pub kind: Option<At<Word>>,
    /// Kernel function.
    #[serde(default)]
    pub kernel: Option<At<String>>,
    /// Netfilter hook.
    #[serde(default)]
    pub hook: Option<At<Word>>,
    /// Netfilter table, or route table.
    #[serde(default)]
    pub table: Option<At<String>>,
    /// Chain.
    #[serde(default)]
    pub chain: Option<At<String>>,
    /// Number of the rule.
    #[serde(default)]
    pub rule: Option<At<u32>>,
    /// Whether the rule matched.
    #[serde(default)]
    pub matched: Option<At<bool>>,
    /// The winning row as the real command prints it.
    #[serde(default)]
    pub row: Option<At<String>>,
    /// What was decided.
    #[serde(default)]
    pub verdict: Option<At<Word>>,
    /// Why it was dropped.
    #[serde(default)]
    pub reason: Option<At<Word>>,
    /// The object that it is about.
    #[serde(default)]
    pub object: Option<At<String>>,
    /// Protocol.
    #[serde(default)]
    pub protocol: Option<At<Word>>,
    /// Source address, or a reference.
    #[serde(default)]
    pub src: Option<At<String>>,
    /// Destination address, or a reference.
    #[serde(default)]
    pub dst: Option<At<String>>,
    /// Source port.
    #[serde(default)]
    pub sport: Option<At<u16>>,
    /// Destination port.
    #[serde(default)]
    pub dport: Option<At<u16>>,
    /// Time to live.
    #[serde(default)]
    pub ttl: Option<At<u8>>,
    /// A header field that the step changed: `ipv4.dst`.
    #[serde(default)]
    pub changed: Option<At<String>>,
    /// Which of those that fit; the first.
    #[serde(default)]
    pub nth: Option<At<u32>>,
}

/// Direction of a packet within its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the destination.
    Request,
    /// Back.
    Reply,
}

impl<'de> Deserialize<'de> for Direction {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Direction;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("request or reply")
            }
            fn visit_enum<A: de::EnumAccess<'de>>(self, a: A) -> Result<Direction, A::Error> {
                #[derive(Deserialize)]
                #[allow(non_camel_case_types, reason = "spelled as the file spells it")]
                enum Name {
                    request,
                    reply,
                }
                let (name, rest) = a.variant::<Name>()?;
                de::VariantAccess::unit_variant(rest)?;
                Ok(match name {
                    Name::request => Direction::Request,
                    Name::reply => Direction::Reply,
                })
            }
        }
        d.deserialize_enum("Direction", &["request", "reply"], V)
    }
}
