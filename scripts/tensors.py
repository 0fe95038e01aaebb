"""The first lesson: what a tensor is, how autograd finds derivatives, and what an optimizer does with them.

``python scripts/tensors.py`` prints each step with what it shows. Read it beside the output.
"""

import torch


def show(title: str, value: object) -> None:
    """Print one result under the code that made it."""
    print(f"\n>>> {title}\n{value!s}")


def add_and_multiply() -> None:
    """Two tensors, element by element."""
    print("\n1. A tensor is an array of numbers. Arithmetic on two of them goes element by element.")
    a = torch.tensor([1.0, 2.0, 3.0])  # (3,)
    b = torch.tensor([10.0, 20.0, 30.0])  # (3,)
    show("a + b", a + b)
    show("a * b", a * b)


def multiply_matrices() -> None:
    """Two random 3×3 matrices."""
    print("\n2. @ multiplies matrices: row times column. It is not the product of the elements.")
    torch.manual_seed(0)
    a, b = torch.randn(3, 3), torch.randn(3, 3)
    show("a @ b", a @ b)
    show("(a @ b)[0, 0] == (a[0] * b[:, 0]).sum()", torch.isclose((a @ b)[0, 0], (a[0] * b[:, 0]).sum()).item())


def move_to_the_gpu() -> None:
    """The same arithmetic on another device."""
    print("\n3. A tensor lives on a device. Both operands have to be on the same one.")
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    show("device (the CPU, where there is no GPU)", device)
    total = torch.ones(3, device=device) + torch.ones(3, device=device)
    show("(ones + ones).device", total.device)
    show("the result back on the CPU", total.cpu())


def to_numpy_and_back() -> None:
    """A tensor and an array that share their memory."""
    print("\n4. On the CPU, a tensor and a NumPy array can share their memory: change one, and both change.")
    tensor = torch.zeros(3)
    array = tensor.numpy()
    array[0] = 7
    show("tensor, after array[0] = 7", tensor)
    show("torch.from_numpy(array + 1)", torch.from_numpy(array + 1))


def differentiate() -> None:
    """Autograd against the derivative worked out by hand."""
    print("\n5. Operations on a tensor that requires a gradient build a graph. backward() walks it back.")
    print("   y = x² · sin(x), so by the product rule dy/dx = 2x · sin(x) + x² · cos(x).")
    x = torch.tensor(1.5, requires_grad=True)
    y = x**2 * torch.sin(x)
    y.backward()
    by_hand = 2 * x * torch.sin(x) + x**2 * torch.cos(x)
    show("y, with the last node of its graph", y)
    show("x.grad, by autograd", x.grad)
    show("dy/dx, by hand", by_hand.detach())


def update() -> None:
    """One step of gradient descent by hand, and by torch.optim.SGD."""
    print("\n6. One update moves a weight against its gradient: weight = weight - learning_rate * gradient.")
    learning_rate = 0.1
    by_hand = torch.tensor([1.0, -2.0], requires_grad=True)  # (2,)
    by_sgd = by_hand.detach().clone().requires_grad_()  # (2,)
    optimizer = torch.optim.SGD([by_sgd], lr=learning_rate)

    (gradient,) = torch.autograd.grad(by_hand.square().sum(), by_hand)  # (2,)
    with torch.no_grad():
        by_hand -= learning_rate * gradient

    by_sgd.square().sum().backward()
    optimizer.step()

    show("by hand", by_hand.detach())
    show("by torch.optim.SGD", by_sgd.detach())
    show("equal", torch.equal(by_hand, by_sgd))


if __name__ == "__main__":
    for lesson in (add_and_multiply, multiply_matrices, move_to_the_gpu, to_numpy_and_back, differentiate, update):
        lesson()
    print("\nNext: scripts/by_hand.py makes such updates 320 times, until a network knows the exclusive or.")
