"""Marks a case as one that is run for several values."""


def each(*values):
    def mark(f):
        f.each = values
        return f

    return mark
