//! How long each package was busy: `/proc/stat`, read without allocating.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes per read: some forty CPU lines. More lines are read in further chunks.
const CHUNK: usize = 4096;

/// Busy ticks since boot of the whole machine: user, nice, system, irq and softirq.
///
/// Guest time is inside user; idle, iowait and what the hypervisor stole are no work of this machine's processors.
pub fn busy_ticks(stat: &File) -> io::Result<u64> {
    let mut text = [0; 256];
    let length = stat.read_at(&mut text, 0)?;
    let line = text[..length].split(|byte| *byte == b'\n').next().and_then(|line| line.strip_prefix(b"cpu "));
    line.and_then(sum_busy).ok_or_else(garbage)
}

/// Calls `add(cpu, busy ticks)` for every CPU line.
pub fn for_each_cpu(stat: &File, mut add: impl FnMut(u32, u64)) -> io::Result<()> {
    let mut offset = 0;
    loop {
        let mut text = [0; CHUNK];
        let length = stat.read_at(&mut text, offset)?;
        let Some(end) = text[..length].iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        for line in text[..end].split(|byte| *byte == b'\n') {
            let Some(rest) = line.strip_prefix(b"cpu") else { return Ok(()) };
            if let Some((cpu, busy)) = parse_cpu(rest).transpose().map_err(|()| garbage())? {
                add(cpu, busy);
            }
        }
        offset += end as u64 + 1;
    }
}

/// `N user nice system ...`; `None` for the line of all CPUs, which has no number.
fn parse_cpu(rest: &[u8]) -> Option<Result<(u32, u64), ()>> {
    if rest.starts_with(b" ") {
        return None;
    }
    let parsed = rest.iter().position(|byte| *byte == b' ').and_then(|space| {
        let cpu = u32::try_from(number(&rest[..space])?).ok()?;
        Some((cpu, sum_busy(&rest[space..])?))
    });
    Some(parsed.ok_or(()))
}

/// Fields 1, 2, 3, 6 and 7 of a CPU line (`man 5 proc_stat`).
fn sum_busy(fields: &[u8]) -> Option<u64> {
    let mut sum = 0_u64;
    let mut seen = 0;
    for field in fields.split(|byte| *byte == b' ').filter(|field| !field.is_empty()).take(7) {
        if !matches!(seen, 3 | 4) {
            sum = sum.checked_add(number(field)?)?;
        }
        seen += 1;
    }
    (seen == 7).then_some(sum)
}

fn number(digits: &[u8]) -> Option<u64> {
    super::powercap::parse_count(digits)
}

fn garbage() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;
    use std::io::Write as _;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    #[test]
    fn busy_leaves_out_idle_iowait_and_stolen_time() {
        let stat = file(b"cpu  1 20 300 4000 50000 600000 7000000 80000000 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n");
        assert_eq!(busy_ticks(&stat).unwrap(), 7_600_321);
    }

    #[test]
    fn every_cpu_of_a_large_machine_is_seen_once() {
        let mut text = String::from("cpu  9 9 9 9 9 9 9 9 9 9\n");
        (0..768).for_each(|cpu| writeln!(text, "cpu{cpu} {cpu} 1 1 5 5 1 1 0 0 0").unwrap());
        text.push_str("intr 1 2 3\nctxt 4\n");
        let mut seen = Vec::new();
        for_each_cpu(&file(text.as_bytes()), |cpu, busy| seen.push((cpu, busy))).unwrap();
        assert_eq!(seen, (0..768).map(|cpu| (cpu, u64::from(cpu) + 4)).collect::<Vec<_>>());
    }

    #[test]
    fn text_that_is_no_stat_is_an_error_and_not_zero() {
        for text in [&b""[..], b"cpu\n", b"cpu  1 2 x 4 5 6 7\n", b"cpu  1 2 3\n", b"intr 5\n"] {
            assert!(busy_ticks(&file(text)).is_err(), "{text:?}");
        }
        assert!(for_each_cpu(&file(b"cpu0 1 2\n"), |_, _| ()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let stat = file(&bytes);
            let _ = busy_ticks(&stat);
            let _ = for_each_cpu(&stat, |_, _| ());
        }
    }
}
