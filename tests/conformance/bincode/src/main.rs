//! Holds rustydb.bin.v1 to the bincode crate, with derive alone.
//!
//!     same FILE...     every vector is read, and written again is the same bytes
//!     longer FILE...   every vector is read; written again it is shorter and means the same
//!     refused FILE...  no vector is read
//!     own              prints vectors of our own, for other decoders
//!     requests         prints requests for the daemon, a line of hex each
//!     answers FILE     reads such lines, checks them like `same`, prints what they are

mod layout;
mod own;
mod vectors;

use bincode::{config, decode_from_slice, encode_to_vec, Decode, Encode};
use layout::*;
use std::fmt::Debug;
use std::process::ExitCode;

pub fn message<T: Encode>(msg_type: MsgType, id: &str, payload: T) -> Vec<u8> {
    let m = Message {
        version: 1,
        msg_type,
        id: id.into(),
        payload: encode_to_vec(payload, config::standard()).expect("it encodes"),
    };
    encode_to_vec(m, config::standard()).expect("it encodes")
}

/// Exactly one value of this type, and nothing behind it. Without a limit, the crate makes room for
/// whatever length the bytes claim.
fn exactly<T: Decode<()>>(bytes: &[u8]) -> Result<T, String> {
    let limited = config::standard().with_limit::<{ 64 << 20 }>();
    let (value, n) = decode_from_slice(bytes, limited).map_err(|e| format!("{e:?}"))?;
    match n == bytes.len() {
        true => Ok(value),
        false => Err(format!("{} bytes are left", bytes.len() - n)),
    }
}

/// A message, written again, and what it is.
struct Again {
    bytes: Vec<u8>,
    shown: String,
}

fn payload_again<T: Encode + Decode<()> + Debug>(m: &Message) -> Result<Again, String> {
    let payload: T = exactly(&m.payload)?;
    let shown = format!("{} {:?} {payload:?}", m.id, m.msg_type);
    Ok(Again {
        bytes: message(m.msg_type, &m.id, payload),
        shown,
    })
}

fn again(bytes: &[u8]) -> Result<Again, String> {
    let m: Message = exactly(bytes)?;
    if m.version != 1 {
        return Err(format!("version {}", m.version));
    }
    match m.msg_type {
        MsgType::Query => payload_again::<Query>(&m),
        MsgType::QueryResult => payload_again::<QueryResult>(&m),
        MsgType::Execute => payload_again::<Execute>(&m),
        MsgType::ExecuteResult => payload_again::<ExecuteResult>(&m),
        MsgType::BeginTxn => payload_again::<BeginTxn>(&m),
        MsgType::Commit => payload_again::<Commit>(&m),
        MsgType::Rollback => payload_again::<Rollback>(&m),
        MsgType::Subscribe => payload_again::<Subscribe>(&m),
        MsgType::Unsubscribe => payload_again::<Unsubscribe>(&m),
        MsgType::Event => payload_again::<Event>(&m),
        MsgType::Error => payload_again::<Error>(&m),
    }
}

fn same(bytes: &[u8]) -> Result<String, String> {
    let a = again(bytes)?;
    match a.bytes == bytes {
        true => Ok(a.shown),
        false => Err(format!("written again: {}", vectors::hex(&a.bytes))),
    }
}

fn longer(bytes: &[u8]) -> Result<String, String> {
    let a = again(bytes)?;
    match a.bytes.len() < bytes.len() && same(&a.bytes)? == a.shown {
        true => Ok(a.shown),
        false => Err("it does not get shorter".into()),
    }
}

fn refused(bytes: &[u8]) -> Result<String, String> {
    match again(bytes) {
        Ok(a) => Err(format!("was read: {}", a.shown)),
        Err(why) => Ok(why),
    }
}

fn each(files: &[String], check: fn(&[u8]) -> Result<String, String>) -> Result<usize, String> {
    let mut count = 0;
    for file in files {
        for v in vectors::read(file).map_err(|e| format!("{file}: {e}"))? {
            check(&v.bytes).map_err(|why| format!("{file}: {}: {why}", v.name))?;
            count += 1;
        }
    }
    Ok(count)
}

fn answers(file: &str) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    for line in text.lines() {
        println!("{}", same(&vectors::unhex(line))?);
    }
    Ok(text.lines().count())
}

fn run(args: &[String]) -> Result<usize, String> {
    let (mode, files) = args
        .split_first()
        .ok_or("a mode is wanted; see src/main.rs")?;
    match mode.as_str() {
        "same" => each(files, same),
        "longer" => each(files, longer),
        "refused" => each(files, refused),
        "own" => {
            own::vectors().iter().for_each(|v| v.print());
            Ok(own::vectors().len())
        }
        "requests" => {
            own::requests()
                .iter()
                .for_each(|m| println!("{}", vectors::hex(m)));
            Ok(own::requests().len())
        }
        "answers" => answers(files.first().ok_or("a file is wanted")?),
        _ => Err(format!("there is no mode {mode}")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(n) => {
            eprintln!("{n} messages");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
