//! As much of JSON as a plugin needs.

use std::iter::Peekable;
use std::str::Chars;

const DEEPEST: usize = 64;

pub enum Value {
    Text(String),
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
    /// A number, true, false or null, which nothing here reads.
    Other,
}

impl Value {
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields.iter().find(|(each, _)| each == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a field; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub fn written(&self) -> String {
        match self {
            Value::Text(text) => quoted(text),
            Value::List(values) => format!("[{}]", joined(values.iter().map(Value::written))),
            Value::Object(fields) => {
                format!("{{{}}}", joined(fields.iter().map(|(name, value)| format!("{}:{}", quoted(name), value.written()))))
            }
            Value::Other => "null".to_string(),
        }
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for each in text.chars() {
        match each {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            each if (each as u32) < 0x20 => written.push_str(&format!("\\u{:04x}", each as u32)),
            each => written.push(each),
        }
    }
    written.push('"');
    written
}

pub fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { left: text.chars().peekable() };
    let value = reader.value(0)?;
    reader.space();
    reader.left.next().is_none().then(|| value)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.left.next_if(|each| each.is_ascii_whitespace()).is_some() {}
    }

    /// Whether this comes next; it is taken then.
    fn taken(&mut self, wanted: char) -> bool {
        self.space();
        self.left.next_if_eq(&wanted).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        if depth > DEEPEST {
            return None;
        }
        match self.left.peek()? {
            '"' => self.string().map(Value::Text),
            '{' => self.object(depth),
            '[' => self.list(depth),
            _ => {
                let word = |each: &char| each.is_ascii_alphanumeric() || "+-.".contains(*each);
                let mut read = 0;
                while self.left.next_if(word).is_some() {
                    read += 1;
                }
                (read > 0).then(|| Value::Other)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.left.next();
        let mut fields = Vec::new();
        if self.taken('}') {
            return Some(Value::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            if !self.taken(':') {
                return None;
            }
            fields.push((name, self.value(depth + 1)?));
            if self.taken('}') {
                return Some(Value::Object(fields));
            }
            if !self.taken(',') {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.left.next();
        let mut values = Vec::new();
        if self.taken(']') {
            return Some(Value::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.taken(']') {
                return Some(Value::List(values));
            }
            if !self.taken(',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.left.next_if_eq(&'"')?;
        let mut text = String::new();
        loop {
            match self.left.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                each => text.push(each),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.left.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => return self.unicode(),
            each => each,
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hexadecimal()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.left.next_if_eq(&'\\')?;
        self.left.next_if_eq(&'u')?;
        let second = self.hexadecimal()?;
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + second.checked_sub(0xDC00)?)
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |sum, _| Some(sum * 16 + self.left.next()?.to_digit(16)?))
    }
}
