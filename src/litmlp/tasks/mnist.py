"""MNIST and the data sets in its format, through torchvision."""

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_md5

from litmlp.errors import Failure
from litmlp.model.spec import ImageForm, Kind
from litmlp.tasks.task import Task

WIDE = {"hidden": [512, 256], "schedule": "one_cycle", "batch_size": 256, "precision": "bf16-mixed"}
LARGEST = 100_000_000  # bytes of an archive, three times what one has


class MNIST(Task):
    """28×28 grey images of handwritten digits (LeCun, Cortes and Burges): 60,000 to train, 10,000 to test."""

    sample_shape = (1, 28, 28)
    classes: tuple[str, ...] | None = tuple("0123456789")
    validation_samples = 5_000
    kind: Kind | None = "drawing"
    # The box and the centre are the authors' (yann.lecun.com/exdb/mnist); the stroke is measured on the data.
    image = ImageForm(box=(20, 20), centre="mass", stroke=0.13)
    recommended: ClassVar[dict[str, Any]] = {**WIDE, "lr": 4e-3, "max_epochs": 4}
    DATASET: ClassVar[type[datasets.MNIST]] = datasets.MNIST

    def prepare_data(self) -> None:
        """Download what is missing in ``data_dir``, and unpack it there."""
        resources = {self.folder / name: md5 for name, md5 in self.DATASET.resources}
        try:
            sizes = {packed.with_suffix(""): packed.with_suffix("").stat().st_size for packed in resources}
        except PermissionError as error:
            raise Failure(f"no rights to read {error.filename}: mend them, or name another --data_dir") from None
        except OSError:
            sizes = {}  # at least one isn't there
        for path, size in sizes.items():
            samples = 60_000 if path.name.startswith("train") else 10_000
            expected = 16 + 28 * 28 * samples if "images" in path.name else 8 + samples  # a header, then bytes
            if size != expected:
                raise self._damaged(path, f"it has {size} bytes instead of {expected}")
        if sizes:
            return
        for packed, md5 in resources.items():
            try:
                is_there = packed.is_file()
                is_damaged = is_there and (packed.stat().st_size > LARGEST or not check_md5(packed, md5))
            except OSError as error:
                raise Failure(f"can't read {packed} ({error.strerror}): mend it or name another --data_dir") from None
            if is_damaged:
                raise self._damaged(packed, "its MD5 sum is wrong")
        new_folders = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        try:
            self.DATASET(self.data_dir, train=False, download=True)
        except (RuntimeError, OSError) as error:
            with suppress(OSError):
                for folder in new_folders:
                    folder.rmdir()
            raise Failure(
                f"no {self.DATASET.__name__} in {self.folder}, and it can't be downloaded ({error}):"
                f" put {', '.join(packed.name for packed in resources)} there, name another --data_dir,"
                " or try --task digits, which needs no download"
            ) from error

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Images (60000 or 10000, 1, 28, 28) as bytes and classes (60000 or 10000,)."""
        try:
            data = self.DATASET(self.data_dir, train=train)
        except (RuntimeError, OSError, ValueError, TypeError, KeyError, AssertionError) as error:
            raise self._damaged(self.folder, str(error) or "not MNIST's format") from error
        images, targets = data.data, data.targets  # (n, 28, 28), (n,)
        expected = 60_000 if train else 10_000
        if images.shape != (expected, 28, 28) or targets.shape != (expected,) or int(targets.max()) > 9:
            raise self._damaged(self.folder, f"not {expected} images with a class each")
        return images.unsqueeze(1), targets

    @property
    def folder(self) -> Path:
        """Where torchvision looks for the files."""
        return Path(self.data_dir) / self.DATASET.__name__ / "raw"

    def _damaged(self, path: Path, why: str) -> Failure:
        return Failure(f"the data in {path} is damaged ({why}): delete it, to download it again")


class FashionMNIST(MNIST):
    """28×28 grey images of clothes (Xiao, Rasul and Vollgraf, Zalando, 2017), in MNIST's format."""

    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    kind = "image"
    # As the paper says (arXiv:1708.07747), without the sharpening: trimmed, scaled to 28 pixels, centred, negated.
    image = ImageForm(box=(28, 28), centre="bounds")
    recommended: ClassVar[dict[str, Any]] = {**WIDE, "dropout": 0.2, "lr": 2e-3, "max_epochs": 10}
    DATASET = datasets.FashionMNIST


class KMNIST(MNIST):
    """28×28 grey images of cursive Japanese characters (Clanuwat et al., 2018), in MNIST's format."""

    kind = "drawing"
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    image = ImageForm(box=(28, 28), centre="bounds", stroke=0.1)
    recommended = FashionMNIST.recommended
    DATASET = datasets.KMNIST
