"""The parts of ``scripts/compare.py``: its fits, what they came to, and the picture of that."""
