"""From the command line to settings, and from settings to task and model."""
