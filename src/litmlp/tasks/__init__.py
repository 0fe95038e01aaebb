"""The tasks: each a data set, what is to be learned from it, and the settings that we recommend for it."""

from litmlp.tasks.registry import TASKS, find_task

__all__ = ["TASKS", "find_task"]
