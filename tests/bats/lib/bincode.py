"""bincode 2 in its standard configuration, written down a second time: types that encode and decode.

A type has enc(value) -> bytes and dec(reader) -> value. Values are what JSON has: numbers, texts,
lists, dicts; bytes are hex texts; an enum's variant is its name, or {name: fields}.
"""

import struct


class Bad(Exception):
    """The bytes are not what the type says."""


class Reader:
    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Bad(f"{n} bytes wanted at {self.at}, {len(self.data) - self.at} there")
        self.at += n
        return self.data[self.at - n : self.at]

    def done(self):
        if self.at != len(self.data):
            raise Bad(f"{len(self.data) - self.at} bytes left at {self.at}")


class Byte:
    def enc(self, v):
        return bytes([v])

    def dec(self, r):
        return r.take(1)[0]


class Bool:
    def enc(self, v):
        return b"\1" if v else b"\0"

    def dec(self, r):
        v = r.take(1)[0]
        if v > 1:
            raise Bad(f"{v} is no bool")
        return v == 1


class Uint:
    def __init__(self, width):
        self.width = width

    def enc(self, v):
        if v < 251:
            return bytes([v])
        for mark, width, code in ((251, 2, "<H"), (252, 4, "<I"), (253, 8, "<Q")):
            if v < 1 << 8 * width and width <= self.width:
                return bytes([mark]) + struct.pack(code, v)
        raise Bad(f"{v} is too big")

    def dec(self, r):
        v = r.take(1)[0]
        if v < 251:
            return v
        width = {251: 2, 252: 4, 253: 8}.get(v, 99)
        if width > self.width:
            raise Bad(f"mark {v} in an integer of {self.width} bytes")
        return int.from_bytes(r.take(width), "little")


class Int:
    def enc(self, v):
        return U64.enc(2 * v if v >= 0 else -2 * v - 1)

    def dec(self, r):
        v = U64.dec(r)
        return v // 2 if v % 2 == 0 else -(v + 1) // 2


class Real:
    def enc(self, v):
        return struct.pack("<d", v)

    def dec(self, r):
        return struct.unpack("<d", r.take(8))[0]


class Text:
    def enc(self, v):
        data = v.encode()
        return U64.enc(len(data)) + data

    def dec(self, r):
        try:
            return r.take(U64.dec(r)).decode()
        except UnicodeDecodeError as e:
            raise Bad(str(e)) from None


class Bytes:
    def enc(self, v):
        data = bytes.fromhex(v)
        return U64.enc(len(data)) + data

    def dec(self, r):
        return r.take(U64.dec(r)).hex()


U8, BOOL, U16, U32, U64 = Byte(), Bool(), Uint(2), Uint(4), Uint(8)
I64, F64, STRING, BYTES = Int(), Real(), Text(), Bytes()


class Option:
    def __init__(self, of):
        self.of = of

    def enc(self, v):
        return b"\0" if v is None else b"\1" + self.of.enc(v)

    def dec(self, r):
        return self.of.dec(r) if BOOL.dec(r) else None


class Vec:
    def __init__(self, of):
        self.of = of

    def enc(self, v):
        return U64.enc(len(v)) + b"".join(self.of.enc(x) for x in v)

    def dec(self, r):
        n = U64.dec(r)
        if n > len(r.data):
            raise Bad(f"{n} items in {len(r.data)} bytes")
        return [self.of.dec(r) for _ in range(n)]


class Tuple:
    def __init__(self, *of):
        self.of = of

    def enc(self, v):
        assert len(v) == len(self.of)
        return b"".join(t.enc(x) for t, x in zip(self.of, v))

    def dec(self, r):
        return [t.dec(r) for t in self.of]


class Struct:
    def __init__(self, **fields):
        self.fields = fields

    def enc(self, v):
        assert set(v) == set(self.fields), f"{sorted(v)} is not {sorted(self.fields)}"
        return b"".join(t.enc(v[name]) for name, t in self.fields.items())

    def dec(self, r):
        return {name: t.dec(r) for name, t in self.fields.items()}


class Enum:
    """Variants in order: Enum(Red=None, Rgb=Tuple(...)); None: no fields."""

    def __init__(self, **variants):
        self.variants = list(variants.items())

    def enc(self, v):
        name, fields = (v, None) if isinstance(v, str) else next(iter(v.items()))
        for i, (n, t) in enumerate(self.variants):
            if n == name:
                return U32.enc(i) + (t.enc(fields) if t else b"")
        raise Bad(f"no variant {name}")

    def dec(self, r):
        i = U32.dec(r)
        if i >= len(self.variants):
            raise Bad(f"no variant {i}")
        name, t = self.variants[i]
        return {name: t.dec(r)} if t else name
