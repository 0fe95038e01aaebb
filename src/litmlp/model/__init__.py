"""The network and its checkpoint files, in plain torch."""
