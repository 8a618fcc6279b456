"""A platform described by data: where things stand in what it sends, and what it is answered and told. Pure."""
