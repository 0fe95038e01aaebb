"""The first lesson: what a tensor is, how autograd finds derivatives, and what an optimizer does with them.

``python scripts/tensors.py`` runs the lesson below line by line, as the interactive Python would: after each ``>>>``
stands the code, and below it its value.
"""

import os
import sys
from code import InteractiveInterpreter
from contextlib import redirect_stdout
from io import StringIO, TextIOWrapper

LESSON = """
1. A tensor is an array of numbers. Arithmetic on two of them goes element by element.

>>> import torch
>>> a = torch.tensor([1.0, 2.0, 3.0])
>>> b = torch.tensor([10.0, 20.0, 30.0])
>>> a.shape
>>> a + b
>>> a * b

2. @ multiplies matrices: row times column. It is not the product of the elements.

>>> _ = torch.manual_seed(0)
>>> a = torch.randn(3, 3)
>>> a
>>> b = torch.randn(3, 3)
>>> b
>>> a @ b
>>> (a[0] * b[:, 0]).sum()
>>> torch.isclose((a @ b)[0, 0], (a[0] * b[:, 0]).sum())

3. A tensor lives on a device. Both operands have to be on the same one. Without a GPU, that is the CPU.

>>> device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
>>> device
>>> total = torch.ones(3, device=device) + torch.ones(3, device=device)
>>> total.device
>>> total.cpu()

4. On the CPU, a tensor and a NumPy array can share their memory: change one, and both change.

>>> tensor = torch.zeros(3)
>>> array = tensor.numpy()
>>> array[0] = 7
>>> tensor
>>> torch.from_numpy(array + 1)

5. Operations on a tensor that requires a gradient build a graph. backward() walks it back.
   y = x² · sin(x), so by the product rule dy/dx = 2x · sin(x) + x² · cos(x).

>>> x = torch.tensor(1.5, requires_grad=True)
>>> y = x**2 * torch.sin(x)
>>> y
>>> y.backward()
>>> x.grad
>>> (2 * x * torch.sin(x) + x**2 * torch.cos(x)).detach()

6. One update moves a weight against its gradient: weight = weight - learning_rate * gradient.

>>> learning_rate = 0.1
>>> by_hand = torch.tensor([1.0, -2.0], requires_grad=True)
>>> by_hand.square().sum().backward()
>>> with torch.no_grad(): by_hand -= learning_rate * by_hand.grad
>>> by_hand

   torch.optim.SGD does the same.

>>> by_sgd = torch.tensor([1.0, -2.0], requires_grad=True)
>>> optimizer = torch.optim.SGD([by_sgd], lr=learning_rate)
>>> by_sgd.square().sum().backward()
>>> optimizer.step()
>>> by_sgd
>>> torch.equal(by_hand, by_sgd)

Next: scripts/by_hand.py makes such updates 320 times, until a network knows the exclusive or."""

PROMPT = ">>> "


def run(lesson: str) -> None:
    """Print the lesson, with the value of each expression under its line."""
    interpreter = InteractiveInterpreter()
    for line in lesson.splitlines():
        print(line)
        if line.startswith(PROMPT):
            interpreter.runsource(line.removeprefix(PROMPT) + "\n")


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal of another encoding gets ? for what it doesn't know
        sys.stdout.reconfigure(errors="replace")
    with redirect_stdout(StringIO()) as printed:
        run(LESSON)
    try:
        print(printed.getvalue(), end="", flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # which Python flushes once more when it ends
        sys.exit(
            1 if isinstance(error, BrokenPipeError) else f"tensors.py: can't write what is printed ({error.strerror})"
        )
