"""The HTTP server of a trained model.

What it says (api), how it answers (app, service, samples, batching), whom (guard), and how it bounds what a client can
take (connections, server).
"""
