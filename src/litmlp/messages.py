"""What jsonargparse's error messages are about, in terms of our flags. Each falls back to the original text."""

import difflib
import re
from collections.abc import Callable, Sequence

IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "Sequence": "a list like '[512,256]'",
    "dict": "settings like '{name: value}'",
}


def explain(message: str, flags: Sequence[str], tasks_with: Callable[[str], Sequence[str]]) -> str:
    """One line that names the flag, from one of jsonargparse's messages; the message itself if it is of another form.

    Args:
        message: what jsonargparse says.
        flags: all there are, each as ``--name``.
        tasks_with: gives the tasks that have a flag of this name.
    """
    tried = re.split(r"\n +- ", message)  # where a value may be of several types: what each of them has against it
    if found := [reason for reason in tried[1:] if "with given class_path" in reason]:
        message = tried[0] + found[0]
    key = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    unknown = re.search(
        r"(?:[Uu]nrecognized arguments: |Key '|Group |Option '|Unexpected keys: {')(?P<flag>[^\s'=]+)", message
    )
    if unknown and re.search("nrecognized|not expected|not accept|Unexpected", message):
        name = f"{key}.{unknown['flag']}" if key else unknown["flag"]
        if "nrecognized" in message and not name.startswith("-"):
            return f"{name}: there is no flag before it (see --help)"
        return explain_unknown(f"--{name.lstrip('-')}" if len(name) != 2 else name, flags, tasks_with)
    missing = re.search(r"arguments are required: (.*)", message)
    if missing:
        return explain_missing(key, missing[1].partition(",")[0])
    value = re.search(r"(?:Given|Got) value: (?P<value>.*)", message)
    if not key or not value:
        return re.sub(r'(Parser key "[^"]+":\s*)+', f"--{key}: ", message)
    if "dot import path string" in message:
        return f"--{key} {value['value']}: there is no class of that name"
    expected = re.findall(r"Expected an? (.*?)(?:\. Got|$)", message, re.MULTILINE)
    plain = [re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", type_).removeprefix("typing.") for type_ in expected]
    wanted = [IN_WORDS.get(type_, type_.replace("Literal", "one of ")) for type_ in plain if type_ != "NoneType"]
    hint = ", so put it in quotes" if wanted == [IN_WORDS["str"]] and value["value"] != "None" else ""
    return f"--{key} {value['value']}: must be {' or '.join(wanted) or 'something else (see --help)'}{hint}"


def explain_unknown(flag: str, flags: Sequence[str], tasks_with: Callable[[str], Sequence[str]]) -> str:
    """One line for a flag that there isn't.

    Args:
        flag: with its dashes.
        flags: all there are.
        tasks_with: gives the tasks that have a flag of this name.
    """
    if flag not in flags and (tasks := tasks_with(flag.removeprefix("--"))):
        return f"there is no flag {flag} for this task: --task {' or '.join(tasks)} has one"
    similar = difflib.get_close_matches(flag, flags, n=1, cutoff=0.7)
    return f"there is no flag {flag}" + (f"; did you mean {similar[0]}?" if similar else " (see --help)")


def explain_missing(flag: str, argument: str) -> str:
    """One line for an argument that a class needs.

    Args:
        flag: the one that names the class.
        argument: the argument's name.
    """
    return f"--{flag}.{argument} is missing: give it as well"
