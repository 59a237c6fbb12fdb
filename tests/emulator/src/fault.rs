//! What goes wrong with a meter, from when until when.

use serde::Deserialize;

/// A fault and its time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Row")]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// From here on, in nanoseconds after the epoch.
    pub start_ns: u64,
    /// Until here; absent: for ever.
    pub end_ns: Option<u64>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opening and reading answer EACCES.
    Eacces,
    /// Reading answers EIO.
    Eio,
    /// The zone is not there; descriptors opened before stay dead (ENODEV) when it comes back.
    Enoent,
    /// The text is no number.
    Garbage,
    /// The text has no byte.
    Empty,
    /// The text is 0; the counter runs on.
    Zero,
    /// The value stands still; the counter runs on.
    Stuck,
    /// The counter starts again from 0.
    Reset,
    /// The counter loses this many joules, once.
    Back(u64),
    /// Each read takes this many milliseconds.
    Slow(u64),
}

/// A fault as the spec writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    start_ns: u64,
    end_ns: Option<u64>,
}

impl TryFrom<Row> for Fault {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let kind = Kind::named(&row.kind).ok_or_else(|| format!("unknown fault {:?}", row.kind))?;
        let lasts = matches!(kind, Kind::Reset | Kind::Back(_)) || matches!(&*row.kind, "gone" | "stuckend");
        if lasts && row.end_ns.is_some() {
            return Err(format!("{} has no end: leave end_ns out", row.kind));
        }
        Ok(Self { kind, start_ns: row.start_ns, end_ns: row.end_ns })
    }
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eacces" => Self::Eacces,
            "eio" => Self::Eio,
            "enoent" | "gone" => Self::Enoent,
            "garbage" => Self::Garbage,
            "empty" => Self::Empty,
            "zero" => Self::Zero,
            "stuck" | "stuckend" => Self::Stuck,
            "reset" => Self::Reset,
            _ => return Self::sized(name),
        })
    }

    /// `back50J`, `slow50`.
    fn sized(name: &str) -> Option<Self> {
        let back = name.strip_prefix("back").and_then(|rest| rest.strip_suffix('J'));
        let slow = name.strip_prefix("slow");
        back.map(|j| j.parse().map(Self::Back)).or(slow.map(|ms| ms.parse().map(Self::Slow)))?.ok()
    }
}

impl Fault {
    /// Whether it acts at this instant.
    pub fn acts_at(&self, t_ns: u64) -> bool {
        self.start_ns <= t_ns && self.end_ns.is_none_or(|end_ns| t_ns < end_ns)
    }
}
