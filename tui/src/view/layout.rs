//! Where the panes stand.
//!
//! ```text
//!  compact, from 80x24                     wide, from 110x34
//!  packetwalk  lesson: …      step 1/9     packetwalk  lesson: …              step 1 of 9
//!  ┌ node-a ───────┐   ┌ node-b ──────┐    ┌ cluster ───────────────────────────────────┐
//!  │ client ━━[cni0]├lan┤ …       web  │    │ ┌ node-a ─────┐         ┌ node-b ────────┐ │
//!  └───────────────┘   └──────────────┘    │ └─────────────┘         └────────────────┘ │
//!  ─ packet ────────────── 1 changed ──    └────────────────────────────────────────────┘
//!    L2 …                                  ┌ packet ───────────┐┏ table ━━━━━━━━━━━━━━━━┓
//!  ~ L3 …  ttl 64 ⇒ 63                     │ ▾ L3 IPv4         │┃► row that won         ┃
//!  ━ table ━━━━━━━━━━━━━━━━━━━━━━━━━━━━    │   ~ ttl  64 ⇒ 63  │┃  row that lost    why ┃
//!  ► row that won            reason        └───────────────────┘┗━━━━━━━━━━━━━━━━━━━━━━━┛
//!    row that lost           reason        ┌ why ───────────────────────────────────────┐
//!  ─ why ──────────────────────────────    └────────────────────────────────────────────┘
//!  ─ time ─────────────────────────────    ┌ time ──────────────────────────────────────┐
//!   req s r a v b[R]f …                    └────────────────────────────────────────────┘
//!   ←→ step  [ ] device  ? help  q quit     ←→ step  [ ] device  { } change  ? help  q …
//! ```
//!
//! With less room, or zoomed, one pane stands alone under a line of tabs.

use crate::caps::SizeClass;
use crate::model::{Model, Pane};
use ratatui::layout::Rect;

/// The areas of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// The title line.
    pub title: Rect,
    /// The line of tabs, where one pane stands alone.
    pub tabs: Option<Rect>,
    /// Each pane, border or rule included.
    pub panes: [Option<Rect>; 5],
    /// The footer.
    pub footer: Rect,
    /// Whether panes have boxes (else rules).
    pub boxed: bool,
}

impl Areas {
    /// What is inside of a pane: without its border, or its rule.
    pub fn inside(&self, pane: Pane) -> Option<Rect> {
        let r = self.panes[pane.index()]?;
        if self.boxed {
            return Some(Rect::new(r.x + 1, r.y + 1, r.width.saturating_sub(2), r.height.saturating_sub(2)));
        }
        if pane == Pane::Cluster {
            return Some(r);
        }
        Some(Rect::new(r.x, (r.y + 1).min(r.bottom()), r.width, r.height.saturating_sub(1)))
    }
}

/// The areas for a model.
pub fn areas(model: &Model<'_>) -> Areas {
    let s = &model.state;
    let screen = Rect::new(0, 0, s.size.0, s.size.1);
    let (w, h) = (screen.width, screen.height);
    let mut out = Areas { boxed: s.class == SizeClass::Wide, ..Areas::default() };
    if h < 3 || w == 0 {
        return out;
    }
    out.title = Rect::new(0, 0, w, 1);
    out.footer = Rect::new(0, h - 1, w, 1);
    let body = Rect::new(0, 1, w, h - 2);
    if s.class <= SizeClass::Tabs || s.zoom {
        out.tabs = Some(Rect::new(0, 1, w, 1));
        let rest = Rect::new(0, 2, w, body.height.saturating_sub(1));
        out.panes[s.focus.index()] = Some(rest);
        return out;
    }
    let mut y = body.y;
    let mut take = |height: u16| {
        let r = Rect::new(0, y.min(body.bottom()), w, height.min(body.bottom().saturating_sub(y)));
        y = r.bottom();
        r
    };
    if s.class == SizeClass::Compact {
        // what is more than 24 rows goes to the table and to why
        let more = body.height.saturating_sub(22);
        // where the story tells something, it needs two rows of the table
        let told = if model.lesson.story(s.cursor).is_empty() { 0 } else { 2 };
        let why = more / 3 + told;
        out.panes[Pane::Cluster.index()] = Some(take(4));
        out.panes[Pane::Packet.index()] = Some(take(4));
        out.panes[Pane::Table.index()] = Some(take((7 + more).saturating_sub(why)));
        out.panes[Pane::Why.index()] = Some(take(5 + why));
        out.panes[Pane::Time.index()] = Some(take(2));
        return out;
    }
    let more = body.height.saturating_sub(32);
    let why = 7 + more / 4;
    out.panes[Pane::Cluster.index()] = Some(take(8));
    let middle = take(body.height.saturating_sub(8 + why + 4));
    // the packet needs room for two hardware addresses, rules and routes whatever there is
    let left = (w / 2).clamp(40, 60);
    out.panes[Pane::Packet.index()] = Some(Rect { width: left, ..middle });
    out.panes[Pane::Table.index()] = Some(Rect { x: left, width: w - left, ..middle });
    out.panes[Pane::Why.index()] = Some(take(why));
    out.panes[Pane::Time.index()] = Some(take(4));
    out
}
