"""The only code that knows SQL. SQLAlchemy Core on SQLite (embedded) or PostgreSQL, by one URL.

Truth is what is stored here: a step reads rows, acts, and writes rows back guarded by the state it expected.
"""

# Whoever walks over all tables, to copy or to compare them, finds these too.
from connector.store import access_tables as access_tables
from connector.store import alert_tables as alert_tables
from connector.store import guard_tables as guard_tables
from connector.store import ledger_tables as ledger_tables
from connector.store import seal_tables as seal_tables
from connector.store import source_tables as source_tables
from connector.store import stamp_tables as stamp_tables
from connector.store import tangle_tables as tangle_tables
from connector.store import watch_tables as watch_tables
