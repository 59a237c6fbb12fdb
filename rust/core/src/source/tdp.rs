//! The thermal design power of a processor by its brand string.
//!
//! The table is made by `tools/make_cpu_table.py`; its header names the sources and their licences.

/// Lines of `normalised name <tab> watts`, sorted by name.
const TABLE: &str = include_str!("../../data/cpu_tdp.tsv");

/// Watts of a package whose brand string is known exactly; `None` for virtual or unknown names, which are never guessed.
pub fn watts(brand: &str) -> Option<f64> {
    let wanted = normalise(brand);
    if wanted.is_empty() {
        return None;
    }
    let entry = |line: &'static str| line.split_once('\t');
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(entry)
        .find(|(name, _)| *name == wanted)?
        .1
        .parse()
        .ok()
}

/// Lower case words without marks of trade, clock rates and fillers: `Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz` becomes
/// `intel xeon gold 6226r`, `AMD EPYC 7763 64-Core Processor` becomes `amd epyc 7763`. The script that makes the table does the same.
fn normalise(brand: &str) -> String {
    let brand = brand.to_lowercase().replace("(r)", " ").replace("(tm)", " ");
    let brand = brand.split('@').next().unwrap_or_default();
    let kept = |word: &&str| !matches!(*word, "cpu" | "processor") && !word.ends_with("-core") && !is_generation(word);
    let mut words: Vec<&str> = brand.split_whitespace().filter(kept).collect();
    if let Some(end) = words.iter().position(|word| *word == "with" || *word == "w/") {
        words.truncate(end);
    }
    words.retain(|word| *word != "gen");
    words.join(" ")
}

/// `11th` in `11th Gen Intel(R) Core(TM) i7-1165G7`.
fn is_generation(word: &str) -> bool {
    word.ends_with("th") && word.trim_end_matches("th").bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brand_strings_of_real_processors_find_their_row() {
        for (brand, expected) in [
            ("AMD EPYC 7763 64-Core Processor", 280.0),
            ("Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", 270.0),
            ("Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz", 85.0),
            ("AMD Ryzen Threadripper 1950X 16-Core Processor", 180.0),
            ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 28.0),
        ] {
            assert_eq!(watts(brand), Some(expected), "{brand}: {}", normalise(brand));
        }
    }

    #[test]
    fn a_family_without_a_model_is_unknown() {
        for brand in ["AMD EPYC", "Intel Xeon Processor (Skylake, IBRS)", "Virtual", "", "AMD EPYC-Rome Processor"] {
            assert_eq!(watts(brand), None, "{brand}");
        }
    }
}
