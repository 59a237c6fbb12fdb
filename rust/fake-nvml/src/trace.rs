//! Recorded columns: CSV with a column `t_ms`, comments after `#`.

use std::path::Path;

/// Reads pairs of seconds and the named column.
pub fn read(path: &Path, column: &str) -> Result<Vec<(f64, f64)>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    parse(&text, column).map_err(|error| format!("{}: {error}", path.display()))
}

/// The same from text.
pub fn parse(text: &str, column: &str) -> Result<Vec<(f64, f64)>, String> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let header: Vec<&str> = lines.next().ok_or("no header line")?.split(',').map(str::trim).collect();
    let place = |name: &str| header.iter().position(|cell| *cell == name).ok_or(format!("no column '{name}'"));
    let (time, value) = (place("t_ms")?, place(column)?);
    lines.map(|line| row(line, time, value).ok_or(format!("no number in line '{line}'"))).collect()
}

fn row(line: &str, time: usize, value: usize) -> Option<(f64, f64)> {
    let cell = |place| line.split(',').nth(place)?.trim().parse::<f64>().ok();
    Some((cell(time)? / 1e3, cell(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_times_become_seconds() {
        let text = "# a note\nt_ms,instant_w,power_w\n0,1,2\n1500, 3 ,4\n";
        assert_eq!(parse(text, "power_w").unwrap(), [(0.0, 2.0), (1.5, 4.0)]);
        assert!(parse(text, "average_w").unwrap_err().contains("average_w"));
        assert!(parse("t_ms,power_w\n1,x\n", "power_w").unwrap_err().contains("1,x"));
    }
}
