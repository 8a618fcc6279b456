"""Rehearsal: a fake Lytics and a fake OneTrust, real HTTP servers on the loopback interface.

They import nothing from the rest of the product, so that one misunderstanding of an outside contract cannot stand on
both sides and cancel itself out. They must never listen on anything but 127.0.0.1, and hold made-up people only.
"""
