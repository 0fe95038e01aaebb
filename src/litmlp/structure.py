"""Whether nested plain values have the structure that is expected of them."""

import re
from typing import Any


def find_mismatch(found: Any, expected: Any) -> list[str] | None:
    """The keys that lead to the first value that isn't as expected; None if there is none.

    Args:
        found: any value.
        expected: a type, a pattern of a text, a dict of keys with what is expected there, or a list of one item for
            a list of such items. Dicts and lists must not be empty.
    """
    if isinstance(expected, type):
        is_bool = isinstance(found, bool) and expected is not bool  # which Python counts among the whole numbers
        return None if isinstance(found, expected) and not is_bool else []
    if isinstance(expected, re.Pattern):
        return None if isinstance(found, str) and expected.fullmatch(found) else []
    if not isinstance(found, type(expected)) or not found:
        return []
    items = dict.fromkeys(range(len(found)), expected[0]) if isinstance(expected, list) else expected
    for key, item in items.items():
        if isinstance(found, dict) and key not in found:
            return [str(key)]
        mismatch = find_mismatch(found[key], item)
        if mismatch is not None:
            return [str(key), *mismatch]
    return None
