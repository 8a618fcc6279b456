"""The `connector` command. Commands are thin: they read options, call the product and print."""
