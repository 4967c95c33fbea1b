//! The messages of rustydb.bin.v1, as a Rust program has them: derive alone makes them what goes over
//! the wire. See rustydb-protocol(7) for what the fields mean.

use bincode::{Decode, Encode};

#[derive(Encode, Decode, PartialEq, Clone, Copy, Debug)]
pub enum MsgType {
    Query,
    QueryResult,
    Execute,
    ExecuteResult,
    BeginTxn,
    Commit,
    Rollback,
    Subscribe,
    Unsubscribe,
    Event,
    Error,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Message {
    pub version: u8,
    pub msg_type: MsgType,
    pub id: String,
    pub payload: Vec<u8>,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    /// The real `digits / 10^scale`.
    Decimal(i64, u8),
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Params {
    None,
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Query {
    pub sql: String,
    pub params: Params,
    pub transaction: Option<String>,
    pub timeout_ms: Option<u64>,
    pub max_rows: Option<u64>,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Column {
    pub name: String,
    pub decl_type: Option<String>,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Summary {
    pub rows: u64,
    pub changes: u64,
    pub last_insert_rowid: i64,
    pub lsn: u64,
    pub elapsed_us: u64,
    pub truncated: bool,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum QueryResult {
    Columns { columns: Vec<Column> },
    Rows { values: Vec<Value> },
    End(Summary),
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Body {
    Json(String),
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Execute {
    Statement(Query),
    Cancel {
        id: String,
    },
    Publish {
        channel: String,
        event: Option<String>,
        message: Body,
        metadata: Option<String>,
    },
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Ended {
    pub transaction: String,
    pub lsn: u64,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum ExecuteResult {
    Statement(Summary),
    Begun {
        transaction: String,
    },
    Committed(Ended),
    RolledBack(Ended),
    Subscribed {
        subscription_id: String,
        topic: String,
        filter: Option<String>,
        log_id: Option<String>,
        lsn: Option<u64>,
    },
    Unsubscribed {
        subscription_id: String,
    },
    Cancelled {
        id: String,
    },
    Published {
        delivered: u64,
    },
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct BeginTxn {}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Commit {
    pub transaction: String,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Rollback {
    pub transaction: String,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Op {
    Insert,
    Update,
    Delete,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Policy {
    Disconnect,
    DropOldest,
    Replay,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Options {
    pub ops: Vec<Op>,
    pub r#where: Option<String>,
    pub columns: Vec<String>,
    pub since: Option<u64>,
    pub log_id: Option<String>,
    pub policy: Option<Policy>,
    pub initial: bool,
}

/// A struct inside is the same bytes as its fields one after the other.
#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Subscribe {
    Topic {
        topic: String,
        options: Options,
    },
    Tables {
        tables: Vec<String>,
        options: Options,
    },
    Query {
        sql: String,
        params: Params,
        min_interval_ms: Option<u64>,
        policy: Option<Policy>,
    },
    Metrics {
        interval_ms: Option<u64>,
        metrics: Vec<String>,
        policy: Option<Policy>,
    },
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Unsubscribe {
    pub subscription_id: String,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum TableChange {
    Altered,
    Renamed,
    Dropped,
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub enum Event {
    Welcome {
        connection_id: String,
        version: String,
        log_id: String,
        lsn: u64,
        max_message: u64,
        max_subscriptions: u64,
        max_pending: u64,
    },
    Change {
        topic: String,
        filter: Option<String>,
        lsn: u64,
        tx: u64,
        committed_at: i64,
        op: Op,
        columns: Vec<String>,
        row: Option<Vec<Value>>,
        old_row: Option<Vec<Value>>,
        changed: Vec<u32>,
    },
    Table {
        topic: String,
        filter: Option<String>,
        lsn: u64,
        committed_at: i64,
        change: TableChange,
        renamed_to: Option<String>,
        sql: String,
    },
    Message {
        topic: String,
        event: Option<String>,
        message: Body,
        metadata: Option<String>,
        sent_at: i64,
    },
    Notice {
        kind: String,
        topic: Option<String>,
        payload: String,
    },
    Closing {
        code: u16,
        reason: String,
    },
    Initial {
        topic: String,
        filter: Option<String>,
        columns: Vec<String>,
        row: Vec<Value>,
    },
    InitialEnd {
        topic: String,
        subscription_id: String,
        lsn: u64,
        rows: u64,
    },
}

#[derive(Encode, Decode, PartialEq, Debug)]
pub struct Error {
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    pub position: Option<u64>,
    pub oldest: Option<u64>,
    pub subscription_id: Option<String>,
    pub lost_from: Option<u64>,
    pub lost_to: Option<u64>,
    pub continues: bool,
}
