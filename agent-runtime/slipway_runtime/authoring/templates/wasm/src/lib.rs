//! What the plugin NAME does. Say it in a sentence.
//!
//! `json.rs` is as much of JSON as this needs. Use serde_json by cargo if you need more.

mod json;

use json::Value;

const DESCRIPTION: &str = r#"{
    "metadata": {"name": "MODULE", "version": "0.1.0", "description": "Greets people.", "author": "You"},
    "tools": [{
        "name": "greet",
        "description": "Greet somebody.",
        "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "read_only": true
    }]
}"#;

/// The result of a request, both as JSON. The field `config` of a request is `spec.config` of the Plugin.
fn answer(request: &str) -> String {
    let request = match json::parse(request) {
        Some(request) => request,
        None => return object("error", "the request is no JSON"),
    };
    match request.text("call") {
        "describe" => DESCRIPTION.to_string(),
        "tool" => {
            let greeting = request.get("config").map_or("Hello", |config| config.text("greeting"));
            match request.get("arguments").map_or("", |arguments| arguments.text("name")) {
                "" => object("error", "name is missing: say who is greeted"),
                name => object("result", &format!("{}, {}!", greeting, name)),
            }
        }
        other => object("error", &format!("there is no call {}", other)),
    }
}

fn object(name: &str, text: &str) -> String {
    Value::Object(vec![(name.to_string(), Value::Text(text.to_string()))]).written()
}

/// A place for a request. Each call has a module of its own, so nothing is given back.
#[no_mangle]
pub extern "C" fn alloc(length: usize) -> *mut u8 {
    vec![0; length].leak().as_mut_ptr()
}

/// Answers the request at this place: the address of the result in the upper half, its length in the lower one.
///
/// # Safety
/// `address` has to be one that `alloc` gave for this length.
#[no_mangle]
pub unsafe extern "C" fn handle(address: *const u8, length: usize) -> u64 {
    let request = String::from_utf8_lossy(std::slice::from_raw_parts(address, length)).into_owned();
    let result = answer(&request).into_bytes().leak();
    (result.as_ptr() as u64) << 32 | result.len() as u64
}
