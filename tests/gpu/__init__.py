"""What only a GPU can show. ``pytest`` runs it wherever there is CUDA; docs/gpu.md says how, and what it proves."""
