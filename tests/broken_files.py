"""What can be broken in the folder that a command runs in: a case of broken_inputs.yaml names the method."""

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import torch
from PIL import Image

from litmlp.model.checkpoint import FORMAT

LAST = Path("lightning_logs/xor/base/checkpoints/last.ckpt")
RAW = Path("data/MNIST/raw")


class Evil:
    """Runs code where a pickle of it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch executed",)


class Prepare:
    """Each method breaks one thing in the working folder, which holds the complete run ``base``."""

    def truncated(self) -> None:
        os.truncate(LAST, LAST.stat().st_size // 2)

    def empty(self) -> None:
        LAST.write_bytes(b"")

    def garbage(self) -> None:
        LAST.write_bytes(b"garbage" * 1000)

    def flipped_bit(self) -> None:
        content = bytearray(LAST.read_bytes())
        content[len(content) // 3] ^= 4
        LAST.write_bytes(content)

    def state_dict_only(self) -> None:
        torch.save(torch.load(LAST, weights_only=True)["state_dict"], LAST)

    def of_the_first_version(self) -> None:
        """It named no format, and had the task's shape among the model's own settings."""
        parameters = {"task": "xor", "sample_shape": [2], "outputs": 2, "loss": "cross_entropy", "hidden": [4]}
        torch.save({"pytorch-lightning_version": "2.6.6", "hyper_parameters": parameters, "state_dict": {}}, LAST)

    def of_a_newer_version(self) -> None:
        newer = {"litmlp_format": FORMAT + 1, "litmlp_version": "9.1.0"}
        torch.save({**torch.load(LAST, weights_only=True), **newer}, LAST)

    def a_list(self) -> None:
        torch.save([1, 2], LAST)

    def the_old_format(self) -> None:
        torch.save({"epoch": 1}, LAST, _use_new_zipfile_serialization=False)

    def another_zip(self) -> None:
        with zipfile.ZipFile(LAST, "w") as archive:
            archive.writestr("hello.txt", "hello")

    def a_zip_bomb(self) -> None:
        with zipfile.ZipFile(LAST, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("last/data.pkl", bytes(50_000_000))

    def a_claim_of_much_memory(self) -> None:
        """A tensor of four terabytes, stored in four bytes."""
        tensor = torch.zeros(1).expand(10**12)
        torch.save({**torch.load(LAST, weights_only=True), "state_dict": {"network.layers.1.weight": tensor}}, LAST)

    def of_other_data(self) -> None:
        content = torch.load(LAST, weights_only=True)
        content["state_dict"]["network.std"] *= 2
        torch.save(content, LAST)

    def of_data_that_are_no_numbers(self) -> None:
        content = torch.load(LAST, weights_only=True)
        content["state_dict"]["network.std"] *= torch.nan
        torch.save(content, LAST)

    def a_wide_model(self) -> None:
        content = torch.load(LAST, weights_only=True)
        content["hyper_parameters"]["hidden"] = [10**6, 10**6]
        torch.save(content, LAST)

    def evil(self) -> None:
        torch.save(Evil(), LAST)

    def evil_inside(self) -> None:
        torch.save({**torch.load(LAST, weights_only=True), "extra": {"deep": [Evil()]}}, LAST)

    def evil_pickle(self) -> None:
        LAST.write_bytes(pickle.dumps(Evil()))

    def incomplete(self) -> None:
        Path("lightning_logs/xor/base/results.json").unlink()

    def no_config(self) -> None:
        Path("lightning_logs/xor/base/config.yaml").unlink()

    def config_is_a_folder(self) -> None:
        self.no_config()
        Path("lightning_logs/xor/base/config.yaml").mkdir()

    def logs_is_a_file(self) -> None:
        shutil.rmtree("lightning_logs")
        Path("lightning_logs").write_text("")

    def best_is_a_folder(self) -> None:
        self._make_folder(LAST.with_name("best.ckpt"))

    def previous_is_a_folder(self) -> None:
        self._make_folder(LAST.with_name("previous.ckpt"))

    def folder_named_c(self) -> None:
        Path("c.yaml").mkdir()

    def pipe_named_c(self) -> None:
        os.mkfifo("c.yaml")

    def results_are_a_pipe(self) -> None:
        self.incomplete()
        os.mkfifo("lightning_logs/xor/base/results.json")

    def large_settings(self) -> None:
        Path("c.yaml").write_text("#" * 1_000_001)

    def deep_settings(self) -> None:
        Path("c.yaml").write_text("hidden: " + "[" * 10_000)

    def settings_that_repeat_each_other(self) -> None:
        """Ten to the power of ten values, if they were written out."""
        lists = [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 11)]
        Path("c.yaml").write_text("\n".join(["a0: &a0 [1]", *lists]))

    def unreadable(self) -> None:
        LAST.chmod(0)

    def unreadable_run(self) -> None:
        self.incomplete()
        Path("lightning_logs/xor/base").chmod(0)

    def unwritable_logs(self) -> None:
        Path("lightning_logs/xor").chmod(0o555)
        Path("lightning_logs").chmod(0o555)

    def unwritable_run(self) -> None:
        self.incomplete()
        for path in ("lightning_logs/xor/base/checkpoints", "lightning_logs/xor/base"):
            Path(path).chmod(0o555)

    def unreadable_data(self) -> None:
        RAW.mkdir(parents=True)
        Path("data/MNIST").chmod(0)

    def short_images(self) -> None:
        self._images("train-images-idx3-ubyte", 1000)

    def short_test_labels(self) -> None:
        self._images("t10k-labels-idx1-ubyte", 100)

    def not_images(self) -> None:
        self._images("", 0)

    def damaged_archive(self) -> None:
        RAW.mkdir(parents=True)
        (RAW / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b not gzip")

    def unreadable_archive(self) -> None:
        self.damaged_archive()
        (RAW / "train-images-idx3-ubyte.gz").chmod(0)

    def photos(self) -> None:
        self._photos("photos", cat=3, dog=3)

    def photos_without_classes(self) -> None:
        self._photos(".", photos=3)

    def photos_of_one_class(self) -> None:
        self._photos("photos", cat=3)

    def photos_a_level_below(self) -> None:
        self._photos("photos/archive", cat=3, dog=3)

    def photos_in_one_class_only(self) -> None:
        self._photos("photos", bird=0, cat=3, dog=3)
        Path("photos/bird/notes.txt").write_text("none yet")

    def no_photos(self) -> None:
        self._photos("photos", cat=0, dog=0)

    def damaged_photos(self) -> None:
        self._photos("photos", cat=0, dog=0)
        for name in ("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"):
            Path("photos", name).write_bytes(b"garbage")

    def too_few_photos(self) -> None:
        self._photos("photos", cat=2, dog=2)

    def photos_to_test_of_another_class(self) -> None:
        self._photos("photos/train", cat=3, dog=3)
        self._photos("photos/test", cat=3, wolf=3)

    def no_photos_to_test(self) -> None:
        self._photos("photos/train", cat=3, dog=3)
        self._photos("photos/test", cat=0)

    def photos_to_validate_twice(self) -> None:
        for side in ("train", "val", "valid"):
            self._photos(f"photos/{side}", cat=3, dog=3)

    def unreadable_photos(self) -> None:
        self.photos()
        Path("photos/dog").chmod(0)

    def a_class_that_beeps(self) -> None:
        self.photos()
        Path("photos/\a").mkdir()

    def a_class_that_is_no_text(self) -> None:
        self.photos()
        Path(os.fsdecode(b"photos/caf\xe9")).mkdir()

    def _make_folder(self, path: Path) -> None:
        path.unlink()
        (path / "inside").mkdir(parents=True)

    def _photos(self, folder: str, **counts: int) -> None:
        """So many images of each class."""
        for place, (name, count) in enumerate(counts.items()):
            Path(folder, name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (4, 4), (90 * place, number, 0)).save(Path(folder, name, f"{number}.png"))

    def _images(self, short: str, size: int) -> None:
        """The four files of MNIST in their right sizes, full of zeros, but one."""
        RAW.mkdir(parents=True)
        for name, samples in (("train", 60_000), ("t10k", 10_000)):
            for kind, right in (("images-idx3", 16 + 784 * samples), ("labels-idx1", 8 + samples)):
                path = RAW / f"{name}-{kind}-ubyte"
                path.touch()
                os.truncate(path, size if path.name == short else right)
