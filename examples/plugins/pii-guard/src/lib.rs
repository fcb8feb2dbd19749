//! A plugin that takes e-mail addresses, telephone numbers and card numbers out of questions and answers.
//!
//! Slipway calls `alloc` for a place, writes a request there as JSON, and calls `handle`, which says where the result
//! is: its address in the upper half of the number, its length in the lower one. Each call has a module of its own, so
//! nothing is given back.

mod json;
mod redact;

use json::Value;

const DESCRIPTION: &str = concat!(
    r#"{"middleware": ["before", "after"], "tools": [{"name": "redact", "read_only": true, "#,
    r#""description": "Take e-mail addresses, telephone numbers and card numbers out of a text.", "#,
    r#""input_schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}]}"#
);

#[no_mangle]
pub extern "C" fn alloc(length: usize) -> *mut u8 {
    let mut place = Vec::<u8>::with_capacity(length);
    let address = place.as_mut_ptr();
    std::mem::forget(place);
    address
}

/// # Safety
/// `address` has to be one that `alloc` gave for this length.
#[no_mangle]
pub unsafe extern "C" fn handle(address: *mut u8, length: usize) -> u64 {
    let request = String::from_utf8_lossy(std::slice::from_raw_parts(address, length)).into_owned();
    let result = answer(&request).into_bytes().into_boxed_slice();
    let packed = (result.as_ptr() as u64) << 32 | result.len() as u64;
    std::mem::forget(result);
    packed
}

/// The result of a request, both as JSON.
pub fn answer(request: &str) -> String {
    let request = match json::parse(request) {
        Some(request) => request,
        None => return object("error", "the request is no JSON"),
    };
    let rules = redact::Rules::of(request.get("config").and_then(|config| config.get("kinds")));
    match request.text("call") {
        "describe" => DESCRIPTION.to_string(),
        "before" => object("question", &rules.redacted(request.text("question"))),
        "after" => object("text", &rules.redacted(request.text("text"))),
        "tool" => {
            let text = request.get("arguments").map_or("", |arguments| arguments.text("text"));
            object("result", &rules.redacted(text))
        }
        other => object("error", &format!("there is no call {}", other)),
    }
}

fn object(name: &str, text: &str) -> String {
    Value::Object(vec![(name.to_string(), Value::Text(text.to_string()))]).written()
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn questions_and_sentences_are_redacted() {
        assert_eq!(
            answer(r#"{"call": "before", "question": "Write to ida@example.com \ud83d\ude00"}"#),
            "{\"question\":\"Write to [e-mail] \u{1f600}\"}"
        );
        assert_eq!(answer(r#"{"call":"after","text":"a\nb"}"#), r#"{"text":"a\nb"}"#);
        assert_eq!(
            answer(r#"{"call":"tool","name":"redact","arguments":{"text":"\"+43 664 1234567\""}}"#),
            r#"{"result":"\"[phone]\""}"#
        );
    }

    #[test]
    fn kinds_are_chosen_by_the_configuration() {
        let request = r#"{"call":"after","config":{"kinds":["card"]},"text":"ida@example.com 4111 1111 1111 1111"}"#;
        assert_eq!(answer(request), r#"{"text":"ida@example.com [card]"}"#);
    }
}
