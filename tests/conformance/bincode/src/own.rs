//! Messages of our own, with what they mean: other decoders must read them.

use crate::layout::*;
use crate::message;
use crate::vectors::Vector;

fn query(sql: &str, params: Params) -> Query {
    Query {
        sql: sql.into(),
        params,
        transaction: None,
        timeout_ms: None,
        max_rows: None,
    }
}

/// Requests that the daemon is to answer, in this order. The table `t (id, x)` is there.
pub fn requests() -> Vec<Vec<u8>> {
    let insert = query(
        "INSERT INTO t VALUES (?, ?)",
        Params::Positional(vec![
            Value::Integer(-300),
            Value::Text("from Rust \u{1F980}".into()),
        ]),
    );
    let select = query(
        "SELECT id, x, :r AS r, :b AS b, NULL AS n FROM t",
        Params::Named(vec![
            ("r".into(), Value::Real(0.1)),
            ("b".into(), Value::Blob(vec![0, 255])),
        ]),
    );
    let options = Options {
        ops: vec![Op::Insert],
        r#where: Some("id < 0".into()),
        columns: vec![],
        since: Some(0),
        log_id: None,
        policy: Some(Policy::Replay),
        initial: false,
    };
    let subscribe = Subscribe::Topic {
        topic: "table:t".into(),
        options,
    };
    vec![
        message(MsgType::Execute, "e", Execute::Statement(insert)),
        message(MsgType::Query, "q", select),
        message(MsgType::BeginTxn, "b", BeginTxn {}),
        message(MsgType::Query, "bad", query("SELECT nothing", Params::None)),
        message(MsgType::Subscribe, "s", subscribe),
    ]
}

pub fn vectors() -> Vec<Vector> {
    let options = Options {
        ops: vec![Op::Update, Op::Delete],
        r#where: None,
        columns: vec!["a".into(), "\u{20AC}".into()],
        since: Some(u32::MAX as u64 + 1),
        log_id: Some("log".into()),
        policy: Some(Policy::DropOldest),
        initial: true,
    };
    let change = Event::Change {
        topic: "table:t".into(),
        filter: None,
        lsn: 251,
        tx: 65536,
        committed_at: -1,
        op: Op::Update,
        columns: vec!["a".into()],
        row: Some(vec![Value::Decimal(-5, 1)]),
        old_row: Some(vec![Value::Real(1e300)]),
        changed: vec![0],
    };
    vec![
        Vector::new(
            "from Rust: a query",
            message(
                MsgType::Query,
                "r1",
                query(
                    "SELECT ?",
                    Params::Positional(vec![
                        Value::Null,
                        Value::Integer(i64::MIN),
                        Value::Text("\u{0}\u{1F980}".into()),
                        Value::Blob(vec![7; 3]),
                    ]),
                ),
            ),
            r#"{"version":1,"msg_type":"Query","id":"r1","payload":{"sql":"SELECT ?","params":{"Positional":["Null",{"Integer":-9223372036854775808},{"Text":"\u0000\ud83e\udd80"},{"Blob":"070707"}]},"transaction":null,"timeout_ms":null,"max_rows":null}}"#,
        ),
        Vector::new(
            "from Rust: several tables",
            message(
                MsgType::Subscribe,
                "r2",
                Subscribe::Tables {
                    tables: vec!["t".into(), "u".into()],
                    options,
                },
            ),
            r#"{"version":1,"msg_type":"Subscribe","id":"r2","payload":{"Tables":{"tables":["t","u"],"ops":["Update","Delete"],"where":null,"columns":["a","\u20ac"],"since":4294967296,"log_id":"log","policy":"DropOldest","initial":true}}}"#,
        ),
        Vector::new(
            "from Rust: a change",
            message(MsgType::Event, "", change),
            r#"{"version":1,"msg_type":"Event","id":"","payload":{"Change":{"topic":"table:t","filter":null,"lsn":251,"tx":65536,"committed_at":-1,"op":"Update","columns":["a"],"row":[{"Decimal":[-5,1]}],"old_row":[{"Real":1e300}],"changed":[0]}}}"#,
        ),
    ]
}
