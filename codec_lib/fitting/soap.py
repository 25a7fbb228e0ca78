r"""SOAP: Adam along the directions in which the gradients of a matrix are large, and small.

Adam divides each parameter's gradient by how large it usually is. That is blind to directions between the
axes, and in a layer the steep directions lie there. So for a gradient G of a matrix two averages are kept,
of G G^T and of G^T G; in the bases of their eigenvectors, Q and P, Adam does its work, and its step D is
turned back:

    G' = Q^T G P,     D = Q Adam(G') P^T

The bases follow their averages by one power iteration and an orthogonalization every few steps. Parameters
that are no matrix are left to Adam.

With equal decays a step of Adam is at most 1, since a mean is no larger than the root of the mean square. A
basis that has just moved breaks that: squares were averaged along the old directions, and where these were
empty, the step would be without bound, above all in a picture of a few pixels. So 1 is its limit.

Source: Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", ICLR 2025.
"""

import numpy as np

EVERY = 10  # steps between two looks at the eigenvectors
TINY = 1e-8


class Basis:
    """Where the gradients of one matrix point: its two averages and their eigenvectors."""

    def __init__(self, rows: int, columns: int):
        self.averages = [np.zeros((side, side)) for side in (rows, columns)]
        self.vectors = [np.eye(side) for side in (rows, columns)]

    def follow(self, gradient: np.ndarray, decay: float, step: int) -> None:
        """Take in a gradient, (rows, columns); `step` counts from 1."""
        for side, g in enumerate((gradient, gradient.T)):
            self.averages[side] += (1 - decay) * (g @ g.T - self.averages[side])
            if step == 1:
                self.vectors[side] = np.linalg.eigh(self.averages[side])[1]
            elif step % EVERY == 0:
                self.vectors[side] = np.linalg.qr(self.averages[side] @ self.vectors[side])[0]

    def turn(self, matrix: np.ndarray) -> np.ndarray:
        """Into the bases of the eigenvectors."""
        left, right = self.vectors
        return left.T @ matrix @ right

    def turn_back(self, matrix: np.ndarray) -> np.ndarray:
        left, right = self.vectors
        return left @ matrix @ right.T


class Soap:
    """Steps for a vector (count,) of which some pieces are matrices: where each lies, and its shape."""

    def __init__(self, count: int, matrices: list[tuple[slice, tuple[int, int]]], decay: float):
        self.first, self.second = np.zeros((2, count))
        self.matrices = [(where, shape, Basis(*shape)) for where, shape in matrices]
        self.decay = decay
        self.steps = 0

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """What to subtract at rate 1, (count,), for the gradient (count,) of the present parameters."""
        self.steps += 1
        gradient = gradient.astype(np.float64)
        self.first += (1 - self.decay) * (gradient - self.first)
        mean = self.first.copy()
        for where, shape, basis in self.matrices:
            g = gradient[where].reshape(shape)
            basis.follow(g, self.decay, self.steps)
            gradient[where] = basis.turn(g).ravel()
            mean[where] = basis.turn(mean[where].reshape(shape)).ravel()
        self.second += (1 - self.decay) * (gradient**2 - self.second)
        correction = 1 / (1 - self.decay**self.steps)
        step = mean * correction / (np.sqrt(self.second * correction) + TINY)
        step = step.clip(-1, 1)
        for where, shape, basis in self.matrices:
            step[where] = basis.turn_back(step[where].reshape(shape)).ravel()
        return step
