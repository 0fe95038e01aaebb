"""What LitMLP costs in time and memory, beside other libraries and by itself: ``python benchmarks/run.py``."""
