"""The component that is being checked, and the few words that every check speaks."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from inspect import isfunction
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NoReturn
from unittest import SkipTest

import numpy as np
import numpy.typing as npt

from deepdance.guards import guard
from deepdance.plugins import ComponentSpec
from deepdance.validation import validate

Array = npt.NDArray[Any]
TOLERANCE = 1e-4
"""Of the largest number: what two computations of the same may differ by."""


class CheckFailed(AssertionError):  # noqa: N818
    """A component does not hold its contract: `expected …, got …`."""


def expect(holds: object, expected: str, got: object) -> None:
    """Raise CheckFailed unless something holds."""
    if not holds:
        raise CheckFailed(f"expected {expected}, got {got}")


@contextmanager
def expect_error(kind: type[Exception], when: str) -> Iterator[None]:
    """Raise CheckFailed unless the block raises `kind`."""
    try:
        yield
    except kind as error:
        expect(str(error) and "\n" not in str(error), f"one line in the {kind.__name__} for {when}", repr(str(error)))
    except Exception as error:
        raise CheckFailed(f"expected {kind.__name__} for {when}, got {type(error).__name__}: {error}") from error
    else:
        raise CheckFailed(f"expected {kind.__name__} for {when}, got no error")


def expect_array(array: Any, shape: tuple[int, ...], dtype: Any, what: str) -> None:
    """Raise CheckFailed unless `array` is NumPy's, of the shape and dtype, and finite."""
    expect(isinstance(array, np.ndarray), f"{what} to be a NumPy array", type(array).__name__)
    expect(array.shape == shape, f"{what} of shape {shape}", array.shape)
    expect(array.dtype == dtype, f"{what} of dtype {np.dtype(dtype)}", array.dtype)
    expect(np.isfinite(array).all(), f"{what} that are finite", f"{np.sum(~np.isfinite(array))} that are not")


def expect_same(one: Mapping[str, Array], other: Mapping[str, Array], when: str) -> None:
    """Raise CheckFailed unless two components gave the same numbers, but for rounding."""
    for name, values in one.items():
        expect(other[name].shape == values.shape, f"{name} of shape {values.shape} {when}", other[name].shape)
        apart = measure_difference(values, other[name])
        expect(apart <= TOLERANCE, f"the same {name} {when}", f"a difference of {apart:.2g} of the largest number")


def measure_difference(one: Array, other: Array) -> float:
    """The largest difference, as a share of the largest number. A grey level up or down is rounding."""
    if not one.size:
        return 0.0
    apart = float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
    if one.dtype == np.uint8:
        return 0.0 if apart <= 1 else apart / 255
    return apart / max(float(np.abs(one).max()), 1e-12)


@contextmanager
def expect_unchanged(arrays: Mapping[str, Array]) -> Iterator[None]:
    """Raise CheckFailed if the block writes into an array that it was given."""
    before = {name: array.copy() for name, array in arrays.items()}
    yield
    for name, array in arrays.items():
        expect(np.array_equal(array, before[name]), f"the given {name} to stay as they were", "other numbers in them")


def collect_checks(module: str) -> tuple[Callable[[Any], None], ...]:
    """The public functions of a module, in their order: each is a check, so that none can be written and not made."""
    defined = [thing for name, thing in vars(sys.modules[module]).items() if not name.startswith("_")]
    return tuple(thing for thing in defined if isfunction(thing) and thing.__module__ == module)


def skip(reason: str) -> NoReturn:
    """End a check that cannot be made here. pytest shows it as skipped."""
    raise SkipTest(reason)


def measure_memory(work: Callable[[], object]) -> tuple[int, int]:
    """Bytes that Python and NumPy hold at most during `work`, and after it, beyond those held before."""
    already = tracemalloc.is_tracing()
    if not already:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        if not already:
            tracemalloc.stop()
    return peak - before, after - before


class Subject:
    """A component under check: its class, and its options, which are the `quick` preset's and those given."""

    interface: type[Any]

    def __init__(self, spec: ComponentSpec, options: Mapping[str, Any], location: str | None = None) -> None:
        self.spec = spec
        self._given = dict(options)
        self.location = location

    @cached_property
    def cls(self) -> Any:
        """The component's class, imported, with the guards of its kind, as the toolkit hands it out."""
        return guard(resolve_name(self.spec.target))

    @cached_property
    def options_model(self) -> Any:
        """The class of its options, imported."""
        return resolve_name(self.spec.options)

    @cached_property
    def options(self) -> Any:
        """The options that the checks use. Raises OptionError."""
        return self.make_options(self._given)

    def make_options(self, given: Mapping[str, Any], preset: str = "quick") -> Any:
        """Options as a run makes them: a preset's, then those given. Raises OptionError."""
        model = self.options_model
        values = {**model.presets.get(preset, {}), **given}
        return validate(model, values, prefix=self.spec.kind, owner=self.spec.name)

    @cached_property
    def folder(self) -> Path:
        """An empty folder that goes when the subject does."""
        self._temporary = TemporaryDirectory(prefix="deepdance-check-")
        return Path(self._temporary.name)

    def new_folder(self, name: str) -> Path:
        """An empty folder whose name begins so. Each has its own: a check may have failed before in another."""
        return Path(mkdtemp(prefix=f"{name}-", dir=self.folder))
