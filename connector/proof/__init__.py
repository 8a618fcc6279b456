"""What can be shown afterwards: a Merkle tree over what happened, signed checkpoints of it, and signed receipts.

Pure functions and frozen objects. Nothing here opens a file, a store or a connection, or looks at a clock. Everything
that is read may come from anybody; there are two ways out: the value, or `Refuted` with a named reason.
"""
