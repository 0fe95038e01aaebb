"""What a network is for, and how it is built: plain, typed, frozen, and complete, so that a checkpoint can hold it."""

import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from litmlp.errors import UsageError
from litmlp.model.columns import TableForm
from litmlp.ranges import check_ranges

Kind = Literal["drawing", "image", "point", "bits", "numbers", "row"]
Activation = Literal["relu", "gelu", "silu", "tanh", "sigmoid"]
LATER = ("bins", "embedding", "members")  # settings that checkpoints of 0.2 don't have
NAME = re.compile(r"\w[\w.+=-]*")


@dataclass(frozen=True)
class ImageForm:
    """How the images of a data set were made, so that images from elsewhere can be brought to the same form.

    Attributes:
        white: the value of the brightest pixel; a whole number for data of whole numbers.
        box: rows and columns that a drawing's ink is scaled to fit into. None where images are photos: these are
            scaled and centre-cropped to the size of a sample.
        centre: what is put in the middle: the ink's centre of mass, or its bounds.
        stroke: the usual width of a stroke, as a fraction of the longer side of the ink's bounds. None for images of
            things, which keep their shades.
        squeezed: whether ink that is too wide for the box at its full height is squeezed, instead of made smaller.
    """

    white: float = 255
    box: tuple[int, int] | None = None
    centre: Literal["mass", "bounds"] = "bounds"
    stroke: float | None = None
    squeezed: bool = False

    def __post_init__(self) -> None:
        if self.box is not None:
            object.__setattr__(self, "box", tuple(self.box))
        check(is_number(self.white) and 0 < self.white <= 1e9, "image.white", self.white, "a number above 0")
        check(
            self.box is None or (len(self.box) == 2 and all(map(is_size, self.box))), "image.box", self.box, "2 sizes"
        )
        check(self.centre in ("mass", "bounds"), "image.centre", self.centre, "mass or bounds")
        stroke = self.stroke
        check(stroke is None or (is_number(stroke) and 0 < stroke <= 1), "image.stroke", stroke, "from 0 to 1")
        check(isinstance(self.squeezed, bool), "image.squeezed", self.squeezed, "true or false")


@dataclass(frozen=True)
class Spec:
    """What a task asks of a network.

    Attributes:
        task: name of the task, which also names folders and files: letters, digits and _ . + = -
        sample_shape: (features,) or, for images, (channels, height, width).
        outputs: classes, or numbers to predict.
        classes: names of the classes in the order of their indices; None for a regression.
        kind: what a sample is, for whoever asks people for one.
        image: the form of the images; None where samples are no images, or only the task knows how to make them.
        table: the columns whose rows the samples are; None where they aren't.

    Raises:
        UsageError: if a value can't be.
    """

    task: str
    sample_shape: tuple[int, ...]
    outputs: int
    classes: tuple[str, ...] | None = None
    kind: Kind = "numbers"
    image: ImageForm | None = None
    table: TableForm | None = None

    def __post_init__(self) -> None:
        shape, classes = self.sample_shape, self.classes
        named = isinstance(self.task, str) and NAME.fullmatch(self.task)
        check(bool(named), "task", self.task, "a name of letters, digits and _ . + = -")
        check(isinstance(shape, list | tuple), "sample_shape", shape, "a tuple")
        shape = tuple(shape)
        object.__setattr__(self, "sample_shape", shape)
        shaped = len(shape) in (1, 3) and all(map(is_size, shape))
        check(shaped, "sample_shape", shape, "(features,) or (channels, height, width)")
        check(is_size(self.outputs), "outputs", self.outputs, "a whole number of at least 1")
        if classes is not None:
            check(
                isinstance(classes, list | tuple) and all(map(is_text, classes)), "classes", classes, "printable names"
            )
            object.__setattr__(self, "classes", tuple(classes))
            matching = len(classes) == self.outputs >= 2
            check(
                matching, "classes", f"{len(classes)} names for {self.outputs} outputs", "a name for each of 2 or more"
            )
        check(self.kind in get_args(Kind), "kind", self.kind, f"one of {', '.join(get_args(Kind))}")
        fits = self.image is None or (isinstance(self.image, ImageForm) and len(shape) == 3)
        check(fits, "image", self.image, "the form of images")
        fits = self.table is None or (isinstance(self.table, TableForm) and shape == (len(self.table.columns),))
        check(fits, "table", self.table, "the columns of the samples")
        check((self.kind == "row") == (self.table is not None), "kind", self.kind, "row for a table, and only there")

    @property
    def loss(self) -> Literal["cross_entropy", "mse"]:
        """What training minimises."""
        return "mse" if self.classes is None else "cross_entropy"


@dataclass(frozen=True)
class Settings:
    """All that a network is built from. The fields are explained where they are flags: at :class:`litmlp.MLP`.

    Raises:
        UsageError: if a value can't be.
    """

    spec: Spec
    hidden: tuple[int, ...] = (128,)
    activation: Activation = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    conv: tuple[int, ...] = ()
    bins: int = 0
    embedding: int = 12
    members: int = 1

    def __post_init__(self) -> None:
        for name in ("hidden", "conv"):
            widths = getattr(self, name)
            whole = isinstance(widths, list | tuple) and all(type(width) is int for width in widths)
            check(whole, f"--{name}", widths, "a list of whole numbers")
            object.__setattr__(self, name, tuple(widths))
        check(is_number(self.dropout), "--dropout", self.dropout, "a number")
        check_ranges({field.name: getattr(self, field.name) for field in fields(self)})
        choices = get_args(Activation)
        check(self.activation in choices, "--activation", self.activation, f"one of {', '.join(choices)}")
        for name in ("bins", "embedding", "members"):
            check(type(getattr(self, name)) is int, f"--{name}", getattr(self, name), "a whole number")
        shape = self.spec.sample_shape
        if self.bins and len(shape) != 1:
            raise UsageError(f"--bins {self.bins} is for numbers, but a sample of this task has shape {shape}")
        check(isinstance(self.batch_norm, bool), "--batch_norm", self.batch_norm, "true or false")

    def as_plain(self) -> dict[str, Any]:
        """The settings as nested plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """The settings from what :meth:`as_plain` gave; other keys are left alone, and later ones may be missing.

        Raises:
            UsageError: if a value can't be.
            KeyError, TypeError: if one is missing, or of a wrong type altogether.
        """
        names = [field.name for field in fields(cls)[1:]]
        values = {name: plain[name] for name in names if name in plain or name not in LATER}
        return cls(spec_from_plain(plain["spec"]), **values)


def spec_from_plain(plain: dict[str, Any]) -> Spec:
    """A spec from nested plain values; raises what :meth:`Settings.from_plain` does."""
    image, table = plain["image"], plain.get("table")
    forms = {
        "image": None if image is None else ImageForm(**image),
        "table": None if table is None else TableForm.from_plain(table),
    }
    return Spec(**{**plain, **forms})


def check(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise a UsageError that names the value, unless the condition holds."""
    if not condition:
        raise UsageError(f"{name} {str(value)[:200]}: must be {allowed}")


def is_size(value: object) -> bool:
    """Whether it is a whole number of at least 1."""
    return type(value) is int and 1 <= value < 2**31


def is_number(value: object) -> bool:
    """Whether it is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Whether it is text that a terminal and a page can show: without control characters and lone surrogates."""
    if not isinstance(value, str) or not value:
        return False
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
