#!/usr/bin/env python3
"""Runs the cases of one or more categories (all of them when none is named) against the daemon that the
environment names, and prints TAP. A case whose name begins with "known:" states a deviation that
docs/conformance.md explains.

    run.py [CATEGORY...]
"""

import importlib
import inspect
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

CATEGORIES = (
    "handshake",
    "framing",
    "control",
    "reserved",
    "fragments",
    "utf8",
    "closing",
    "deflate",
    "limits",
    "masking",
    "library",
    "storm",
)


def cases_of(category):
    """(name, function, arguments) in the order in which they are written. A case is a function with a
    docstring, its name; one with `each` set is run for every value of it."""
    found = []
    module = importlib.import_module(category)
    for f in vars(module).values():
        if not inspect.isfunction(f) or f.__module__ != category or not f.__doc__ or f.__name__[0] == "_":
            continue
        for values in getattr(f, "each", [()]):
            values = values if isinstance(values, tuple) else (values,)
            shown = ", ".join(str(v) if not isinstance(v, bytes) else v.hex() for v in values)
            found.append((f"{category}: {f.__doc__}" + (f" ({shown})" if values else ""), f, values))
    return found


def main(names):
    cases = [c for name in names or CATEGORIES for c in cases_of(name)]
    print(f"1..{len(cases)}")
    failed = 0
    for n, (name, f, values) in enumerate(cases, 1):
        try:
            f(*values)
            print(f"ok {n} {name}")
        except Exception:  # whatever it is, it is shown and the case has failed
            failed += 1
            print(f"not ok {n} {name}")
            for line in traceback.format_exc(limit=-2).splitlines():
                print(f"# {line}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
