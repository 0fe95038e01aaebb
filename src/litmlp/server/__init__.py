"""The HTTP server of a trained model: what it says (api), how it answers (app, batching) and whom (guard)."""
