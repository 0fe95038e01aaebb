"""The space that a search draws settings from: an interval or a choice of values for each flag."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from litmlp.errors import UsageError
from litmlp.settings.command_line import Command
from litmlp.settings.parser import make_parser
from litmlp.studies.scales import as_number
from litmlp.studies.values import as_text, by_labels, from_yaml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Drawn = float | int | str  # what Optuna keeps of a setting: a number, or the label of a choice
DIGITS = 4  # of a drawn number: nobody wants to read or repeat more


class Interval(NamedTuple):
    """The numbers from ``low`` to ``high``.

    Attributes:
        low: the lowest.
        high: the highest.
        log: whether their logarithms are drawn uniformly.
        whole: whether they are whole numbers.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415 (an extra)

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, drawn: Drawn) -> float | int:
        """The setting that was drawn, with ``DIGITS`` digits."""
        number = float(drawn)
        return int(number) if self.whole else min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def drawn(self, value: Any) -> Drawn | None:
        """What Optuna keeps of a setting; None if it isn't in the interval."""
        number = as_number(value)
        return None if number is None or not self.low <= number <= self.high else self.value(number)

    def ends(self) -> list[Any]:
        """Settings that are all right only if every setting is."""
        return [int(end) if self.whole else end for end in (self.low, self.high)]


class Choice(NamedTuple):
    """Some values.

    Attributes:
        values: by their labels.
    """

    values: dict[str, Any]

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws from."""
        from optuna.distributions import CategoricalDistribution  # noqa: PLC0415 (an extra)

        return CategoricalDistribution([*self.values])

    def value(self, drawn: Drawn) -> Any:
        """The setting that was drawn."""
        return self.values[str(drawn)]

    def drawn(self, value: Any) -> Drawn | None:
        """What Optuna keeps of a setting; None if it isn't among the values."""
        return next((label for label, choice in self.values.items() if as_text(choice) == as_text(value)), None)

    def ends(self) -> list[Any]:
        """All values."""
        return [*self.values.values()]


Space = dict[str, Interval | Choice]


def parse_space(text: str | None, command: Command) -> dict[str, Any]:
    """What ``--space`` says, as plain values; by default what the task recommends.

    Args:
        text: a YAML mapping of flags to their values; None for the default.
        command: names the task.

    Raises:
        UsageError: if it isn't such a mapping.
    """
    asked = dict(command.task.search_space) if text is None else from_yaml("--space", text)
    if not isinstance(asked, dict) or not asked or not all(isinstance(flag, str) for flag in asked):
        raise UsageError(
            f"--space {text}: must be a mapping like '{{lr: [0.001, 0.1, log], hidden: [[256], [512,256]]}}'"
        )
    return asked


def read_space(asked: Mapping[str, Any], command: Command) -> Space:
    """The space: two numbers are the ends of an interval, three or more values, or a mapping of labels, a choice.

    Args:
        asked: the values of each flag.
        command: names the task, whose flags they are.

    Raises:
        UsageError: if the values of a flag are neither.
    """
    parser = make_parser(command.settings.task, command.task)
    types = {action.dest: getattr(action, "_typehint", None) or action.type for action in parser._actions}
    return {flag: read_values_of(flag, values, types.get(flag)) for flag, values in asked.items()}


def read_values_of(flag: str, values: Any, kind: Any) -> Interval | Choice:
    """The interval or choice of one flag.

    Args:
        flag: its name.
        values: what the space says of it.
        kind: the type of its values.

    Raises:
        UsageError: if it says nothing that can be drawn from.
    """
    where = f"--space {flag}"
    if not isinstance(values, list | dict) or not values:
        raise UsageError(f"{where} {as_text(values)}: must be [low, high], [low, high, log] or a choice of values")
    numbers = [as_number(value) for value in values[:2]] if isinstance(values, list) else []
    log = isinstance(values, list) and len(values) == 3 and values[2] == "log"
    if None in numbers or len(numbers) != 2 or not (log or len(values) == 2):
        choice = Choice(by_labels(where, values))
        if len(choice.values) < 2:
            raise UsageError(f"{where}: one value is no choice; give it as --{flag}")
        return choice
    low, high = (float(number) for number in numbers if number is not None)
    if not low < high:
        raise UsageError(f"{where} {as_text(values)}: the first number must be below the second")
    if log and low <= 0:
        raise UsageError(f"{where} {as_text(values)}: the logarithm needs numbers above 0")
    takes_fractions = float in (kind, *get_args(kind))
    return Interval(low, high, log, whole=not takes_fractions and low.is_integer() and high.is_integer())


def flags_of(settings: Mapping[str, Any]) -> list[str]:
    """Settings as a command line has them."""
    return [f"--{flag}={as_text(value)}" for flag, value in settings.items()]


def extremes(space: Space) -> list[dict[str, Any]]:
    """Settings among which every end of an interval and every choice occurs."""
    ends = {flag: values.ends() for flag, values in space.items()}
    return [
        {flag: values[index % len(values)] for flag, values in ends.items()}
        for index in range(max(map(len, ends.values())))
    ]
