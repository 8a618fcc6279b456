"""What did a platform say, and how is it told the outcome? One folder per platform, one line each in `registry.py`."""
