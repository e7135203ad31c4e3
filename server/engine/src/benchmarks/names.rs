//! Names as they are kept: on one line, and not longer than there is room for.

use headroom_model::benchmark::LONGEST_NAME;

/// Characters of the mark and of what stands before it.
const MARK: usize = 14;

/// A name that can be kept. One that cannot, such as a command of several lines, becomes its words on one line, cut where there is
/// no more room, with a mark of the whole at its end: names that differ stay different, and the same is the same in every import.
pub(super) fn kept(name: String) -> String {
    let fits = |name: &str| name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
    let whole = name.trim_end_matches(['\n', '\r']);
    if fits(whole) {
        return whole.to_owned();
    }
    let words: Vec<&str> = whole.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let start: String = words.join(" ").chars().take(LONGEST_NAME - MARK).collect();
    format!("{} #{:012x}", start.trim_end(), fingerprint(whole) >> 16).trim_start().to_owned()
}

/// FNV-1a, 64 bits. Source: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::benchmark::name;

    fn kept(text: &str) -> String {
        super::kept(text.to_owned())
    }

    #[test]
    fn a_name_that_fits_is_left_as_it_is() {
        for fits in ["sleep 0.1", " a  b ", "é", &"x".repeat(LONGEST_NAME)] {
            assert_eq!(kept(fits), fits);
        }
        assert_eq!(kept("sleep 0.1\n"), "sleep 0.1");
    }

    #[test]
    fn what_does_not_fit_is_shortened_and_stays_distinct() {
        let long = "x".repeat(LONGEST_NAME);
        let odd = [
            "a &&\n  b",
            "a &&\n b",
            "a && b\t",
            &format!("{long}y"),
            &format!("{long}z"),
            &"é".repeat(LONGEST_NAME + 1),
            "\u{0}",
            "\n a\u{1b}",
        ];
        let all: Vec<String> = odd.iter().map(|text| kept(text)).collect();
        for (text, found) in odd.iter().zip(&all) {
            assert_eq!(name("benchmark", found), Ok(()), "{text:?}");
            assert_eq!(all.iter().filter(|other| *other == found).count(), 1, "{text:?}");
            assert_eq!(kept(found), *found, "what was kept is kept as it is");
        }
        assert_eq!(all[0], "a && b #8c3f0a314d69");
    }
}
