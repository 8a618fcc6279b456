"""What decides when and where steps run. The truth is in the store; a tick that comes twice does no harm."""
