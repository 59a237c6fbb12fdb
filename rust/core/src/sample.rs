//! One raw reading of one domain, stamped before and after.

use crate::clock::Clock;
use crate::error::Fault;

/// What a source answered: a raw count, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// The raw count; 0 and meaningless beside a fault.
    pub raw: u64,
    /// The clock just before the read.
    pub before_ns: u64,
    /// The clock just after it.
    pub after_ns: u64,
    /// Why there is no count.
    pub fault: Option<Fault>,
}

impl Sample {
    /// Reads once between two looks at the clock.
    pub fn bracket(clock: &dyn Clock, read: impl FnOnce() -> Result<u64, Fault>) -> Self {
        let before_ns = clock.now_ns();
        let answer = read();
        let after_ns = clock.now_ns();
        Self { raw: answer.unwrap_or(0), before_ns, after_ns, fault: answer.err() }
    }

    /// The instant the count belongs to: the middle of its bracket.
    pub fn t_ns(&self) -> u64 {
        self.before_ns + self.half_ns()
    }

    /// How far off that instant can be.
    pub fn half_ns(&self) -> u64 {
        self.after_ns.saturating_sub(self.before_ns) / 2
    }
}
