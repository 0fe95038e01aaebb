"""The tasks by name. A new one is a class in a file of its own and a line here."""

from litmlp.tasks.digits import Digits
from litmlp.tasks.images import KMNIST, MNIST, FashionMNIST
from litmlp.tasks.log import Log, LogValue
from litmlp.tasks.task import Task
from litmlp.tasks.xor import XOR

TASKS: dict[str, type[Task]] = {
    "digits": Digits,
    "xor": XOR,
    "log": Log,
    "log_value": LogValue,
    "mnist": MNIST,
    "fashion_mnist": FashionMNIST,
    "kmnist": KMNIST,
}
