"""The messages in tests/data/messages."""

import os


def corpus(name):
    with open(os.path.join(os.path.dirname(__file__), "../../data/messages", name)) as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                expected, message = line.split("\t")
                yield expected, message
