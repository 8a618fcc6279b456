"""OneTrust: the callback that our published body contract describes, and the report on the subtask."""
