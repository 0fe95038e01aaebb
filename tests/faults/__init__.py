"""Kill the real command at random moments, go on with it, and compare its end with that of an undisturbed run.

``python -m tests.faults --rounds 80`` from the project's root; ``--help`` shows the rest. Everything runs on the
CPU with one thread a process, and a seeded generator draws the moments.
"""
