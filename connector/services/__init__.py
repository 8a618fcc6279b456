"""The life of a request, one step per file. Steps are idempotent functions on rows, guarded by the state they expect.

No remote call is made inside a database transaction: write the intent, commit, call, write the result, commit.
"""
