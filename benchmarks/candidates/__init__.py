"""Programs that the benchmark runs in processes of their own. Those named after a library are the peers.

Each prints one line at an epoch's end, and its test accuracy: that is what the benchmark reads.
"""
