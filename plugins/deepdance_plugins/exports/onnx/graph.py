"""ONNX graphs, written as the arithmetic that they are: `latents * deviation + mean`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""The first with GELU; runtimes know it since 2024."""
IR_VERSION = 9
"""What came with that operator set: a newer one would be refused by runtimes of its time."""
BATCH = "n"
"""The name of the dimension that may be of any length."""

Shape = Sequence[int | str]
Operand = Any
"""A value of the graph, or an array or number that becomes a constant of it."""


class Value:
    """What a node of a graph gives; arithmetic with it makes further nodes."""

    __array_ufunc__ = None  # so that an array on the left leaves the arithmetic to this class

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def apply(self, operator: str, *others: Operand, **attributes: Any) -> Value:
        """The ONNX operator of this value and others."""
        return self.graph.apply(operator, self, *others, **attributes)

    def __add__(self, other: Operand) -> Value:
        return self.apply("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self.apply("Sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.apply("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.apply("Mul", other)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Operand) -> Value:
        return self.apply("Div", other)

    def __matmul__(self, other: Operand) -> Value:
        return self.apply("MatMul", other)

    def slice(self, start: int, stop: int | float = inf, axis: int = 1) -> Value:
        """Entries `start` to `stop` along an axis."""
        last = np.iinfo(np.int64).max if stop == inf else int(stop)
        return self.apply("Slice", [start], [last], [axis])

    def reshape(self, *shape: int) -> Value:
        """The same entries in another shape, in which -1 is whatever is left."""
        return self.apply("Reshape", list(shape))

    def transpose(self, *order: int) -> Value:
        """The axes in another order."""
        return self.apply("Transpose", perm=list(order))

    def unsqueeze(self, *axes: int) -> Value:
        """With axes of length 1 put in."""
        return self.apply("Unsqueeze", list(axes))

    def squeeze(self, axis: int) -> Value:
        """Without an axis of length 1."""
        return self.apply("Squeeze", [axis])

    def sum(self, axis: int) -> Value:
        """The sum along an axis, which goes."""
        return self.apply("ReduceSum", [axis], keepdims=0)

    def clip(self, low: Operand, high: Operand) -> Value:
        """Kept between two bounds, each a number or an array."""
        return self.apply("Max", low).apply("Min", high)


class Graph:
    """A graph that is being written: values come from `input`, and those called `output` leave it."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._numbers = count()
        self._constants: dict[str, onnx.TensorProto] = {}
        self.inputs: dict[str, Shape] = {}
        self.outputs: dict[str, Shape] = {}
        self._described: dict[str, onnx.ValueInfoProto] = {}
        self.notes: dict[str, str] = {}
        """What the file says of itself, beside the graph."""

    def input(self, name: str, shape: Shape) -> Value:
        """A float32 input."""
        self.inputs[name] = shape
        self._described[name] = _describe(name, TensorProto.FLOAT, shape)
        return Value(self, name)

    def output(self, name: str, value: Value, shape: Shape, kind: int = TensorProto.FLOAT) -> None:
        """Give a value out under a name."""
        self.outputs[name] = shape
        self._described[name] = _describe(name, kind, shape)
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))

    def apply(self, operator: str, *operands: Operand, **attributes: Any) -> Value:
        """The first output of a new node."""
        return self.apply_many(1, operator, *operands, **attributes)[0]

    def apply_many(self, outputs: int, operator: str, *operands: Operand, **attributes: Any) -> list[Value]:
        """The first `outputs` outputs of a new node; an input that is None is left out."""
        names = [self._make_name(operator) for _ in range(outputs)]
        inputs = [self._name(operand) for operand in operands]
        self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return [Value(self, name) for name in names]

    def repeat_until_still(self, value: Value, change: Callable[[Value], Value]) -> Value:
        """The value after as many changes as it takes until another one would change nothing."""
        names = [self._make_name(each) for each in ("pass", "goes_on", "before")]
        around, self._nodes = self._nodes, []
        before = Value(self, names[2])
        after = change(before)
        goes_on = (after - before).apply("Abs").apply("ReduceMax", keepdims=0).apply("Greater", 0.0)
        given = map(_describe, names, (TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT), ([], [], None))
        left = map(_describe, (goes_on.name, after.name), (TensorProto.BOOL, TensorProto.FLOAT), ([], None))
        body = helper.make_graph(self._nodes, "body", [*given], [*left])
        self._nodes = around
        return self.apply("Loop", None, None, value, body=body)

    def _make_name(self, what: str) -> str:
        return f"{what}_{next(self._numbers)}"

    def _name(self, operand: Operand) -> str:
        if isinstance(operand, Value):
            return operand.name
        # A number is one of the arithmetic; whole ones for axes and shapes come in lists.
        return (
            "" if operand is None else self._keep(np.asarray(float(operand) if isinstance(operand, int) else operand))
        )

    def _keep(self, values: npt.NDArray[Any]) -> str:
        """The name of a constant; the same one is kept once, however often it is used."""
        kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float32
        plain = np.ascontiguousarray(values, kind).reshape(values.shape)
        digest = sha256(plain.tobytes()).hexdigest()[:16]
        name = f"constant_{plain.dtype}_{'x'.join(map(str, plain.shape))}_{digest}"
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(plain, name)
        return name

    def build(self, title: str, version: str, notes: Mapping[str, str]) -> onnx.ModelProto:
        """The model, checked as a whole, its shapes too. `notes` become its `metadata_props`."""
        described = [[self._described[name] for name in names] for names in (self.inputs, self.outputs)]
        graph = helper.make_graph(self._nodes, title, *described, list(self._constants.values()))
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="deepdance",
            producer_version=version,
        )
        helper.set_model_props(model, {**notes, **self.notes})
        onnx.checker.check_model(model, full_check=True)
        return model


def _describe(name: str, kind: int, shape: Shape | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
