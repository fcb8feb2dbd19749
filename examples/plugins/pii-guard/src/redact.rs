//! What is taken out of a text.

use crate::json::Value;

/// Which kinds are looked for.
pub struct Rules {
    email: bool,
    phone: bool,
    card: bool,
}

impl Rules {
    /// All of them, or those that a list names.
    pub fn of(kinds: Option<&Value>) -> Rules {
        let named = |name: &str| match kinds {
            Some(Value::List(kinds)) => kinds.iter().any(|kind| matches!(kind, Value::Text(text) if text == name)),
            _ => true,
        };
        Rules { email: named("email"), phone: named("phone"), card: named("card") }
    }

    pub fn redacted(&self, text: &str) -> String {
        let text: Vec<char> = text.chars().collect();
        let (mut written, mut at) = (String::new(), 0);
        while at < text.len() {
            match self.found(&text, at) {
                Some((name, end)) => {
                    written.push_str(name);
                    at = end;
                }
                None => {
                    written.push(text[at]);
                    at += 1;
                }
            }
        }
        written
    }

    /// What begins here, and where it ends.
    fn found(&self, text: &[char], at: usize) -> Option<(&'static str, usize)> {
        let before = at.checked_sub(1).map(|before| text[before]);
        if self.email && !before.map_or(false, |each| in_address(each)) {
            if let Some(end) = email(text, at) {
                return Some(("[e-mail]", end));
            }
        }
        if before.map_or(false, |each| each.is_alphanumeric() || "+.,-/_".contains(each)) {
            return None;
        }
        if self.card {
            if let Some(end) = card(text, at) {
                return Some(("[card]", end));
            }
        }
        if self.phone {
            return phone(text, at).map(|end| ("[phone]", end));
        }
        None
    }
}

fn in_address(each: char) -> bool {
    each.is_alphanumeric() || "._%+-".contains(each)
}

fn email(text: &[char], at: usize) -> Option<usize> {
    let name = text[at..].iter().take_while(|each| in_address(**each)).count();
    if name == 0 || name > 64 || text.get(at + name) != Some(&'@') {
        return None;
    }
    let start = at + name + 1;
    let host = text[start..].iter().take_while(|each| each.is_alphanumeric() || "-.".contains(**each)).count();
    let mut end = start + host;
    while end > start && !text[end - 1].is_alphanumeric() {
        end -= 1; // the full stop of the sentence
    }
    let host: String = text[start..end].iter().collect();
    let (domain, top) = host.rsplit_once('.')?;
    (!domain.is_empty() && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic)).then(|| end)
}

/// Digits with signs between them, from here on: the digits, and the place after each.
fn digits(text: &[char], at: usize, between: &str, most: usize) -> Vec<(u32, usize)> {
    let (mut found, mut here, mut signs) = (Vec::new(), at, 0);
    while let Some(each) = text.get(here) {
        here += 1;
        match each.to_digit(10) {
            Some(digit) => {
                found.push((digit, here));
                signs = 0;
            }
            None if between.contains(*each) && signs < most && !found.is_empty() => signs += 1,
            None => break,
        }
    }
    found
}

fn card(text: &[char], at: usize) -> Option<usize> {
    let found = digits(text, at, " -", 1);
    let end = found.last()?.1;
    let sum: u32 = found
        .iter()
        .rev()
        .enumerate()
        .map(|(place, (digit, _))| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    ((13..=19).contains(&found.len()) && sum % 10 == 0 && found.iter().any(|(digit, _)| *digit > 0)).then(|| end)
}

fn phone(text: &[char], at: usize) -> Option<usize> {
    let opened = text[at] == '(';
    let first = at + opened as usize;
    let international = text.get(first) == Some(&'+');
    let start = first + international as usize;
    if !text.get(start)?.is_ascii_digit() {
        return None;
    }
    let found = digits(text, start, " -./()", 2);
    let end = found.last()?.1;
    let national = found[0].0 == 0 && text.get(start + 1) != Some(&'.');
    let grouped = groups(&text[start..end]) == [3, 3, 4];
    let enough = if international || national { (8..=15).contains(&found.len()) } else { grouped };
    let ends = text.get(end).map_or(true, |each| !each.is_alphanumeric());
    (enough && ends && !(opened && !text[start..end].contains(&')'))).then(|| end)
}

/// How many digits stand together: 3, 3 and 4 for a number of North America.
fn groups(text: &[char]) -> Vec<usize> {
    text.split(|each| !each.is_ascii_digit()).map(<[char]>::len).filter(|length| *length > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn what_is_personal_goes_and_the_rest_stays() {
        for (text, expected) in [
            ("Write to ida.berg+x@mail.example.co.uk.", "Write to [e-mail]."),
            ("<ida@example.com>, b@c", "<[e-mail]>, b@c"),
            ("Call +43 (664) 123-45-67, please.", "Call [phone], please."),
            ("Call 0664/1234567 or (555) 123-4567.", "Call [phone] or [phone]."),
            ("Call 555-123-4567 today", "Call [phone] today"),
            ("Pay with 4111 1111 1111 1111 now", "Pay with [card] now"),
            ("Pay with 5500-0055-5555-5559", "Pay with [card]"),
            ("Order 4111 1111 1111 1112", "Order 4111 1111 1111 1112"),
            ("On 2026-11-30 at 08:15, 0.45 of 1234567", "On 2026-11-30 at 08:15, 0.45 of 1234567"),
            ("Version 10.20.30.40, port 8080", "Version 10.20.30.40, port 8080"),
            ("Grüße an müller@beispiel.de!", "Grüße an [e-mail]!"),
            ("", ""),
        ] {
            assert_eq!(Rules::of(None).redacted(text), expected);
        }
    }
}
