"""The commands: what one types, what one reads."""
