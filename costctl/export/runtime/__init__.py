"""The code of an exported decision: the standard library of Python 3.9 only, and nothing of costctl beside it.

`costctl.export.decision` puts these files one behind the other; names must be distinct across them.
"""
