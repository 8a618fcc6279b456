"""Looks an installation over: what is set up wrong is named, with its mend. Reads only; nothing is ever written."""
