"""The packages that only some commands need: fitting must not wait for them, nor installing."""

from importlib.util import find_spec

from litmlp.errors import Failure


def require(what: str, *packages: str, of: str = "requirements-serve.txt") -> None:
    """Check that packages, which the file ``of`` installs, are installed.

    Raises:
        Failure: if one isn't, with what to install.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise Failure(f"{what} needs {', '.join(missing)}: pip install -r {of}")
