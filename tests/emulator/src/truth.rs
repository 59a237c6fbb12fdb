//! What the closed forms say at given times, for a comparison with truth.py.

use std::io::{self, BufRead, Write};

use crate::machine::Machine;

/// For each line `DOMAIN T_NS` of standard input, one line `ENERGY_FJ READING` (times after the epoch).
pub fn answer(machine: &Machine) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (id, t_ns) = line.split_once(' ').ok_or_else(|| format!("{line:?}: expected DOMAIN T_NS"))?;
        let t_ns: u64 = t_ns.trim().parse().map_err(|_| format!("{t_ns:?}: expected whole nanoseconds"))?;
        let mut meters = machine.meters.iter();
        let meter = meters.find(|meter| meter.domain.id == id).ok_or_else(|| format!("no domain {id:?}"))?;
        writeln!(out, "{} {:?}", meter.domain.power.energy_fj(t_ns), meter.read(t_ns))?;
    }
    Ok(out.flush()?)
}
