"""A digest of what a class does: its code, and all that this reaches and no library has."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dis import get_instructions
from functools import cached_property, partial
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

OURS = frozenset({"deepdance", "deepdance_plugins"})
"""What the distribution's own fingerprint covers."""
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
METHODS = (FunctionType, classmethod, staticmethod, property)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
INSTALLED = frozenset({"site-packages", "dist-packages"})


class UnknowableError(Exception):
    """There is an object, of the type that is named, which cannot be compared with another process's: a lock."""


class CodeDigest:
    """Digests that stay the same, in any process, until something changes that decides.

    Of a function these are its bytecode, its defaults, what it closes over, and the globals that it names; of a class
    its attributes and bases; of any other object what pickle would keep of it. Comments and the place in a file change
    nothing. A library's functions and classes are known by their names.
    """

    def __init__(self) -> None:
        self._digests: dict[int, str] = {}
        self._alive: list[Any] = []  # an object that is gone leaves its id to another
        self._imported: set[str] = set()

    def digest(self, value: Any) -> str:
        """The digest of any object. Raises UnknowableError."""
        if type(value) in PLAIN:
            return _hash(type(value).__name__, repr(value))
        if id(value) not in self._digests:
            self._alive.append(value)
            self._digests[id(value)] = "what is being digested"  # for what leads back to itself
            self._digests[id(value)] = _hash(type(value).__name__, *self._list_parts(value))
        return self._digests[id(value)]

    def _list_parts(self, value: Any) -> Iterator[str]:
        if isinstance(value, ModuleType):
            yield value.__name__  # what a function uses of it counts as what that names
        elif isinstance(value, FunctionType | type) and is_library(value.__module__ or ""):
            yield f"{value.__module__}.{value.__qualname__}"
        elif isinstance(value, type):
            yield from self._list_class(value)
        elif isinstance(value, FunctionType):
            yield from self._list_function(value)
        elif isinstance(value, CodeType):
            yield self.digest([value.co_code, value.co_exceptiontable, value.co_flags, value.co_argcount])
            yield self.digest([value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars])
            yield self.digest(value.co_consts)
        else:
            yield from map(self.digest, _take_apart(value))

    def _list_class(self, owner: type) -> Iterator[str]:
        for base in owner.__bases__:
            yield self.digest(base)
            yield _hash_library_file(base.__module__)
        for name, value in sorted(vars(owner).items()):
            by_python = (name.startswith("__") and not isinstance(value, METHODS)) or name == "_abc_impl"
            if not by_python or name == "__orig_bases__":
                yield name
                yield self.digest(value)

    def _list_function(self, function: FunctionType) -> Iterator[str]:
        yield self.digest(function.__code__)
        yield self.digest([function.__defaults__, function.__kwdefaults__, vars(function)])
        for cell in function.__closure__ or ():
            yield self.digest(_open_cell(cell))
        codes = list(_list_codes(function.__code__))
        for code in codes:
            yield from self._list_named(function.__globals__, _list_loaded(code), code)
        yield from self._list_imports(codes, str(function.__globals__.get("__package__") or ""))

    def _list_named(self, space: Mapping[str, Any], names: Iterable[str], code: CodeType) -> Iterator[str]:
        """What code uses by these names: of its globals and, where these are modules of one's own, of those."""
        for name in sorted(set(names) & set(space)):
            yield name
            yield self.digest(space[name])
            if isinstance(space[name], ModuleType) and not is_library(space[name].__name__):
                yield from self._list_named(vars(space[name]), {*code.co_names} - {name}, code)

    def _list_imports(self, codes: Iterable[CodeType], package: str) -> Iterator[str]:
        """What is imported only when the code runs: by its file, and by those that this imports in turn."""
        for name in sorted({name for code in codes for name in _list_imported(code, package)} - self._imported):
            self._imported.add(name)
            imported = _read_module(name)
            if imported:
                yield self.digest(imported[0])
                yield from self._list_imports(_list_codes(imported[0]), imported[1])


def is_library(module: str) -> bool:
    """Whether a module is nobody's who is at work here: of the standard library, installed, or ours."""
    top = module.partition(".")[0]
    if top in OURS or top in sys.builtin_module_names:
        return True
    file = _find_file(top)
    if file is None:
        return top in sys.stdlib_module_names
    return not INSTALLED.isdisjoint(file.parts) or file.is_relative_to(STANDARD_LIBRARY)


def _find_file(module: str) -> Path | None:
    if module in sys.modules:
        file = getattr(sys.modules[module], "__file__", None)
    else:
        spec = _find_spec(module)
        file = spec.origin if spec and spec.has_location else None
    return Path(file) if file else None


def _find_spec(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except (ImportError, ValueError):
        return None


def _read_module(name: str) -> tuple[CodeType, str] | None:
    """The code of a module of one's own, from its file, and its package; None if it is a library's, or no module."""
    spec = None if is_library(name) else _find_spec(name)
    code = spec.loader.get_code(name) if spec and isinstance(spec.loader, InspectLoader) else None
    return (code, spec.parent or "") if spec and code else None


def _list_codes(code: CodeType) -> Iterator[CodeType]:
    """A code object, and those of the functions within it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _list_codes(inner)


def _list_loaded(code: CodeType) -> set[str]:
    return {each.argval for each in get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


def _list_imported(code: CodeType, package: str) -> Iterator[str]:
    """The modules that code imports: `from a import b` may be one or two, and either may lie in its own package."""
    module = ""
    for each in get_instructions(code):
        if each.opname == "IMPORT_NAME":
            module = each.argval
            yield from (module, f"{package}.{module}")
        elif each.opname == "IMPORT_FROM":
            yield from (f"{module}.{each.argval}", f"{package}.{each.argval}")


def _take_apart(value: Any) -> Iterable[Any]:
    """What any other object consists of. Raises UnknowableError."""
    for types, take in PARTS.items():
        if type(value) in types:
            return take(value)
    return [value.__wrapped__] if hasattr(value, "__wrapped__") else _reduce(value)


PARTS: dict[tuple[type, ...], Callable[[Any], Iterable[Any]]] = {
    (property,): lambda value: (value.fget, value.fset, value.fdel),
    (cached_property,): lambda value: (value.func,),
    (dict, MappingProxyType): lambda value: chain.from_iterable(value.items()),
    (list, tuple): iter,
    (set, frozenset): partial(sorted, key=repr),
}


def _reduce(value: Any) -> list[Any]:
    """What pickle would keep. Raises UnknowableError."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception as error:
        raise UnknowableError(type(value).__qualname__) from error
    return [reduced] if isinstance(reduced, str) else [list(p) if isinstance(p, Iterator) else p for p in reduced]


def _open_cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


def _hash_library_file(module: str) -> str:
    """The file of a base class that is a library's: its versions differ in it. One's own is known by its code."""
    noted = module.partition(".")[0] in OURS | sys.stdlib_module_names
    file = _find_file(module) if is_library(module) and not noted else None
    return _hash(file.read_bytes().hex()) if file and file.is_file() else ""


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]
