"""The messages of rustydb.bin.v1 as rustydb-protocol(7) lays them out, for bincode.py."""

from bincode import (
    BOOL, BYTES, F64, I64, STRING, U8, U16, U32, U64,
    Bad, Enum, Option, Reader, Struct, Tuple, Vec,
)

VALUE = Enum(Null=None, Integer=I64, Real=F64, Text=STRING, Blob=BYTES, Decimal=Tuple(I64, U8))
PARAMS = Enum(**{"None": None, "Positional": Vec(VALUE), "Named": Vec(Tuple(STRING, VALUE))})
COLUMN = Struct(name=STRING, decl_type=Option(STRING))
OP = Enum(Insert=None, Update=None, Delete=None)
POLICY = Enum(Disconnect=None, DropOldest=None, Replay=None)
TABLE_CHANGE = Enum(Altered=None, Renamed=None, Dropped=None)
BODY = Enum(Json=STRING, Text=STRING, Binary=BYTES)

QUERY = Struct(
    sql=STRING,
    params=PARAMS,
    transaction=Option(STRING),
    timeout_ms=Option(U64),
    max_rows=Option(U64),
)
SUMMARY = Struct(
    rows=U64, changes=U64, last_insert_rowid=I64, lsn=U64, elapsed_us=U64, truncated=BOOL
)
SUBSCRIBE = {
    "ops": Vec(OP),
    "where": Option(STRING),
    "columns": Vec(STRING),
    "since": Option(U64),
    "log_id": Option(STRING),
    "policy": Option(POLICY),
    "initial": BOOL,
}
ENDED = Struct(transaction=STRING, lsn=U64)

PAYLOADS = {
    "Query": QUERY,
    "QueryResult": Enum(
        Columns=Struct(columns=Vec(COLUMN)), Rows=Struct(values=Vec(VALUE)), End=SUMMARY
    ),
    "Execute": Enum(
        Statement=QUERY,
        Cancel=Struct(id=STRING),
        Publish=Struct(
            channel=STRING, event=Option(STRING), message=BODY, metadata=Option(STRING)
        ),
    ),
    "ExecuteResult": Enum(
        Statement=SUMMARY,
        Begun=Struct(transaction=STRING),
        Committed=ENDED,
        RolledBack=ENDED,
        Subscribed=Struct(
            subscription_id=STRING,
            topic=STRING,
            filter=Option(STRING),
            log_id=Option(STRING),
            lsn=Option(U64),
        ),
        Unsubscribed=Struct(subscription_id=STRING),
        Cancelled=Struct(id=STRING),
        Published=Struct(delivered=U64),
    ),
    "BeginTxn": Struct(),
    "Commit": Struct(transaction=STRING),
    "Rollback": Struct(transaction=STRING),
    "Subscribe": Enum(
        Topic=Struct(topic=STRING, **SUBSCRIBE), Tables=Struct(tables=Vec(STRING), **SUBSCRIBE),
        Query=Struct(
            sql=STRING, params=PARAMS, min_interval_ms=Option(U64), policy=Option(POLICY)
        ),
        Metrics=Struct(interval_ms=Option(U64), metrics=Vec(STRING), policy=Option(POLICY)),
    ),
    "Unsubscribe": Struct(subscription_id=STRING),
    "Event": Enum(
        Welcome=Struct(
            connection_id=STRING,
            version=STRING,
            log_id=STRING,
            lsn=U64,
            max_message=U64,
            max_subscriptions=U64,
            max_pending=U64,
        ),
        Change=Struct(
            topic=STRING,
            filter=Option(STRING),
            lsn=U64,
            tx=U64,
            committed_at=I64,
            op=OP,
            columns=Vec(STRING),
            row=Option(Vec(VALUE)),
            old_row=Option(Vec(VALUE)),
            changed=Vec(U32),
        ),
        Table=Struct(
            topic=STRING,
            filter=Option(STRING),
            lsn=U64,
            committed_at=I64,
            change=TABLE_CHANGE,
            renamed_to=Option(STRING),
            sql=STRING,
        ),
        Message=Struct(
            topic=STRING,
            event=Option(STRING),
            message=BODY,
            metadata=Option(STRING),
            sent_at=I64,
        ),
        Notice=Struct(kind=STRING, topic=Option(STRING), payload=STRING),
        Closing=Struct(code=U16, reason=STRING),
        Initial=Struct(
            topic=STRING, filter=Option(STRING), columns=Vec(STRING), row=Vec(VALUE)
        ),
        InitialEnd=Struct(topic=STRING, subscription_id=STRING, lsn=U64, rows=U64),
    ),
    "Error": Struct(
        code=STRING,
        message=STRING,
        hint=Option(STRING),
        position=Option(U64),
        oldest=Option(U64),
        subscription_id=Option(STRING),
        lost_from=Option(U64),
        lost_to=Option(U64),
        continues=BOOL,
    ),
}
TYPES = Enum(**dict.fromkeys(PAYLOADS))
MESSAGE = Struct(version=U8, msg_type=TYPES, id=STRING, payload=BYTES)


def encode(m):
    """{"version","msg_type","id","payload"} with the payload's fields, to bytes."""
    return MESSAGE.enc({**m, "payload": PAYLOADS[m["msg_type"]].enc(m["payload"]).hex()})


def decode(data):
    """The reverse; Bad unless it is one whole message and no more."""
    r = Reader(data)
    m = MESSAGE.dec(r)
    r.done()
    if m["version"] != 1:
        raise Bad(f"version {m['version']}")
    p = Reader(bytes.fromhex(m["payload"]))
    m["payload"] = PAYLOADS[m["msg_type"]].dec(p)
    p.done()
    return m


def vectors(path):
    """The blocks of a file of test vectors, as dicts of their lines."""
    block, n = {}, 0
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("#"):
                continue
            if line:
                key, _, rest = line.partition(" ")
                assert key in ("name", "hex", "json", "fault"), f"{path}:{n}: {line}"
                block[key] = rest.strip()
            elif block:
                yield block
                block = {}
    if block:
        yield block
