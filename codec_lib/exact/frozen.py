"""What training leaves behind for coding: integer tables and networks by name.

A trained model estimates probabilities with floats. Before it codes anything they are frozen, once, into
integers; these are saved with the weights, and nothing else chooses how a symbol is coded.
"""

from typing import Protocol, Self, TypeVar

import numpy as np

from codec_lib.entropy.laplace import LaplaceTables
from codec_lib.entropy.mixture_density import MixtureTables
from codec_lib.entropy.pmf import Tables
from codec_lib.exact.fixed_point import FixedPointNetwork


class Part(Protocol):
    """Something frozen: saved as arrays by name, and made from them again."""

    def to_arrays(self) -> dict[str, np.ndarray]: ...

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self: ...


KINDS: dict[str, type[Part]] = {
    kind.__name__: kind for kind in (Tables, LaplaceTables, MixtureTables, FixedPointNetwork)
}

Kind = TypeVar("Kind", Tables, LaplaceTables, MixtureTables, FixedPointNetwork)


class Frozen(dict[str, Part]):
    """The frozen parts of a model, empty until it is frozen or loaded; names are unique in a model."""

    def tables(self, name: str) -> Tables:
        """The tables of this name; RuntimeError when the model is not frozen."""
        return self._part(name, Tables)

    def mixture_tables(self, name: str) -> MixtureTables:
        """The tables of a mixture; RuntimeError when the model is not frozen."""
        return self._part(name, MixtureTables)

    def laplace_tables(self, name: str) -> LaplaceTables:
        """The tables of Laplace densities; RuntimeError when the model is not frozen."""
        return self._part(name, LaplaceTables)

    def network(self, name: str) -> FixedPointNetwork:
        """The network of this name; RuntimeError when the model is not frozen."""
        return self._part(name, FixedPointNetwork)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All integers of all parts, under the names PART.ARRAY."""
        return {
            f"{name}.{key}": value for name, part in self.items() for key, value in part.to_arrays().items()
        }

    def _part(self, name: str, kind: type[Kind]) -> Kind:
        part = self.get(name)
        if not isinstance(part, kind):
            raise RuntimeError(f"{name}: the model is not frozen; call freeze(), or load trained weights")
        return part
