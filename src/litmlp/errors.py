"""The two ways in which a command says that it can't go on: each becomes one line on stderr."""


class UsageError(ValueError):
    """A flag, a setting or a combination of them is wrong: exit code 2."""


class Failure(RuntimeError):  # noqa: N818 (that is what it is called everywhere)
    """The flags are right, but the world isn't: a file, the data, a device, the network. Exit code 1."""
