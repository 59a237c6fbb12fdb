//! Long lists of numbers in a piece of JSON text: what a log of ten million token times is made of.
//!
//! Only what is whole and plain is taken: the caller reads on, with a parser of all of JSON, where this one stops.

/// What was taken from a list.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    /// Of each element the number, or the sum of its numbers.
    pub values: Vec<f64>,
    /// Where the next element begins: behind the comma that follows the last one, and spaces.
    pub end: usize,
}

/// Takes elements of a list from byte `at` on, each a number, or with `is_nested` a list of numbers; stops before the
/// first that is something else, or is not followed by a comma in this piece.
pub fn take(text: &str, at: usize, is_nested: bool) -> Taken {
    let mut taken = Taken { values: Vec::new(), end: at };
    let element = if is_nested { sum } else { number };
    while let Some((value, end)) = element(text, taken.end) {
        let Some(b',') = byte(text, skip(text, end)) else { break };
        taken.values.push(value);
        taken.end = skip(text, skip(text, end) + 1);
    }
    taken
}

/// The sum of a list of numbers, and where it ends.
fn sum(text: &str, at: usize) -> Option<(f64, usize)> {
    let mut at = skip(text, opened(text, at)?);
    if byte(text, at)? == b']' {
        return Some((0.0, at + 1));
    }
    let mut sum = 0.0;
    loop {
        let (value, end) = number(text, at)?;
        sum += value;
        at = skip(text, end);
        match byte(text, at)? {
            b',' => at = skip(text, at + 1),
            b']' => return Some((sum, at + 1)),
            _ => return None,
        }
    }
}

/// Behind the bracket that opens a list.
fn opened(text: &str, at: usize) -> Option<usize> {
    (byte(text, at)? == b'[').then_some(at + 1)
}

/// A number by the grammar of JSON (RFC 8259, section 6), and where it ends; `None` at the end of the text, where it may
/// go on.
fn number(text: &str, at: usize) -> Option<(f64, usize)> {
    let whole = at + usize::from(byte(text, at)? == b'-');
    let mut end = digits(text, whole)?;
    if byte(text, whole)? == b'0' && end > whole + 1 {
        return None;
    }
    if byte(text, end)? == b'.' {
        end = digits(text, end + 1)?;
    }
    if matches!(byte(text, end)?, b'e' | b'E') {
        end = digits(text, end + 1 + usize::from(matches!(byte(text, end + 1)?, b'+' | b'-')))?;
    }
    byte(text, end)?;
    Some((text.get(at..end)?.parse().ok()?, end))
}

/// Behind one or more digits.
fn digits(text: &str, at: usize) -> Option<usize> {
    let count = text.as_bytes().get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(at + count)
}

fn skip(text: &str, at: usize) -> usize {
    let spaces = text.as_bytes().iter().skip(at).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    at + spaces.count()
}

fn byte(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(values: &[f64], end: usize) -> Taken {
        Taken { values: values.to_vec(), end }
    }

    #[test]
    fn numbers_are_taken_up_to_the_last_that_a_comma_follows() {
        assert_eq!(take("1, -2.5e-1 ,0, 3", 0, false), taken(&[1.0, -0.25, 0.0], 15));
        assert_eq!(take("[1, 2]", 1, false), taken(&[1.0], 4));
        assert_eq!(take("", 0, false), taken(&[], 0));
        assert_eq!(take("1,", 7, false), taken(&[], 7));
    }

    #[test]
    fn lists_are_summed_and_a_list_that_is_cut_is_left() {
        assert_eq!(take("[], [1,2.5] ,\n[ 3 ], [4, 5", 0, true), taken(&[0.0, 3.5, 3.0], 21));
        assert_eq!(take("[1, [2]], ", 0, true), taken(&[], 0));
    }

    #[test]
    fn what_json_does_not_call_a_number_is_left_to_others() {
        for text in ["01, ", "1., ", ".5, ", "+1, ", "NaN, ", "1e, ", "null, ", "\"1\", ", "- 1, ", "inf, ", "1.5.2, "]
        {
            assert_eq!(take(text, 0, false), taken(&[], 0), "{text}");
            assert_eq!(take(&format!("[{text}1], "), 0, true), taken(&[], 0), "{text}");
        }
        assert_eq!(take("1, 2, ", 0, true), taken(&[], 0));
        assert_eq!(take("[1], ", 0, false), taken(&[], 0));
    }

    proptest! {
        #[test]
        fn every_finite_number_comes_back_as_it_was_written(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 1..40)) {
            let text = values.iter().map(|value| format!("{value:e}, ")).collect::<Vec<_>>().concat();
            prop_assert_eq!(take(&text, 0, false), taken(&values, text.len()));
        }

        /// A piece may end anywhere: nothing is taken that more text would change.
        #[test]
        fn a_shorter_piece_takes_a_part_of_the_same(lists in prop::collection::vec(prop::collection::vec(-1e9..1e9_f64, 0..5), 1..9), cut in 0..400_usize) {
            let text = lists.iter().map(|list| format!("{list:?}, ")).collect::<Vec<_>>().concat();
            let (whole, part) = (take(&text, 0, true), take(&text[..cut.min(text.len())], 0, true));
            prop_assert_eq!(whole.end, text.len());
            prop_assert_eq!(&whole.values[..part.values.len()], &part.values[..]);
        }

        #[test]
        fn any_text_is_survived(text in "[0-9eE+.,\\[\\] \"é-]{0,40}", at in 0..50_usize) {
            for is_nested in [false, true] {
                prop_assert!(take(&text, at, is_nested).end >= at);
            }
        }
    }
}
