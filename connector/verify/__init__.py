"""Is this delivery genuine? Checks over the call as it arrived; pure, with time and published keys passed in.

A check returns what it verified or raises `Rejected` with a 401 code; a check that needs published keys raises
`Temporary` while they cannot be had. There is no other way out, and a header that is missing is a refusal. Nothing
here keeps a state, opens a connection or shows a header's value; the body is parsed only after it was verified, or
where the signature itself stands in it.
"""
