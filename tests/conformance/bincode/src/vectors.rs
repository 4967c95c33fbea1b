//! Files of test vectors: blocks of lines "name TEXT", "hex BYTES", and "json MEANING" or "fault TEXT".

use std::{fs, io};

pub struct Vector {
    pub name: String,
    pub bytes: Vec<u8>,
    pub json: String,
}

impl Vector {
    pub fn new(name: &str, bytes: Vec<u8>, json: &str) -> Vector {
        Vector {
            name: name.into(),
            bytes,
            json: json.into(),
        }
    }

    pub fn print(&self) {
        println!(
            "name {}\nhex {}\njson {}\n",
            self.name,
            hex(&self.bytes),
            self.json
        );
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}

pub fn read(path: &str) -> io::Result<Vec<Vector>> {
    let mut all: Vec<Vector> = vec![];
    for line in fs::read_to_string(path)?.lines() {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (key, all.last_mut()) {
            ("name", _) => all.push(Vector::new(rest, vec![], "")),
            ("hex", Some(v)) => v.bytes = unhex(rest),
            ("json", Some(v)) => v.json = rest.into(),
            _ => (),
        }
    }
    Ok(all)
}
