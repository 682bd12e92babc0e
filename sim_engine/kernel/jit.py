"""How the kernel's functions are compiled, and how they reach their arrays.

Only the entry point is ever called from Python. What its functions pass to one another is a single pointer to a table
of addresses: of a tuple of fifty arrays every reference would be counted at every call, which takes many times as long
as the work. To the functions it looks like a layout.Work: `w.agents` is an array.
"""

import ctypes
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_type_hints

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.extending import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import populate_array

from sim_engine.kernel.layout import Work

_Function = TypeVar("_Function", bound=Callable[..., Any])


# No function divides by what may be zero, and none of numba's rewrites finds anything in them: without these, compiling
# takes a tenth less.
_OPTIONS: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",
    "no_rewrites": True,
}


def part(function: _Function) -> _Function:
    """A function of the kernel."""
    return cast(_Function, njit(**_OPTIONS)(function))


def inlined(function: _Function) -> _Function:
    """A function of the kernel whose code stands wherever it is called."""
    return cast(_Function, njit(forceinline=True, **_OPTIONS)(function))


def spliced(function: _Function) -> _Function:
    """A function that is called once, taken into its caller before that is compiled.

    All that a function calls is optimized again with it: a chain of calls to the top would take as many times as long.
    """
    return cast(_Function, njit(inline="always")(function))


def _instruction(function: Callable[..., Any]) -> Any:
    """A function that is spelled out in the compiler's own terms."""
    return intrinsic(function)


# Work as a numba type


_DTYPES = {name: np.dtype(hint.__metadata__[0]) for name, hint in get_type_hints(Work, include_extras=True).items()}
_ARRAY_TYPES = {name: types.Array(from_dtype(dtype), 1, "C", aligned=True) for name, dtype in _DTYPES.items()}
_FIELDS = tuple(_DTYPES)


class _WorkType(types.Opaque):
    """A pointer to a table that holds the address and the length of each array, field by field."""


_PLAIN_WORK, _BEHAVED_WORK = _WorkType("PlainWork"), _WorkType("BehavedWork")
"""Every function of the kernel is compiled for either: what is asked of is_plain is settled when it is."""
register_model(_WorkType)(models.OpaqueModel)


@infer_getattr
class _WorkAttributes(AttributeTemplate):
    key = _WorkType

    def generic_resolve(self, work: _WorkType, name: str) -> types.Array | None:
        return _ARRAY_TYPES.get(name)


@lower_getattr_generic(_WorkType)
def _lower_field(context: Any, builder: Any, work_type: Any, work: Any, name: str) -> Any:
    """An array that owns nothing, so that nobody counts references to it; its address never changes within a day."""
    index = _FIELDS.index(name)
    array_type = _ARRAY_TYPES[name]
    word = ir.IntType(64)
    table = builder.bitcast(work, word.as_pointer())
    address, length = (_load_once(builder, table, 2 * index + part) for part in range(2))
    array = context.make_array(array_type)(context, builder)
    itemsize = array_type.dtype.size if isinstance(array_type.dtype, types.Record) else array_type.dtype.bitwidth // 8
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=[length],
        strides=[word(itemsize)],
        itemsize=word(itemsize),
        meminfo=None,
    )
    return array._getvalue()


def _load_once(builder: Any, table: Any, index: int) -> Any:
    loaded = builder.load(builder.gep(table, [ir.IntType(64)(index)], inbounds=True))
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


def _address_of_table(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.bitcast(data, cgutils.voidptr_t)


@_instruction
def plain_work_at(typing_context: Any, table: Any) -> Any:
    """The Work of a plain day whose arrays a table names; see table_of. They must outlive it."""
    return _PLAIN_WORK(table), _address_of_table


@_instruction
def behaved_work_at(typing_context: Any, table: Any) -> Any:
    """The Work of a day that is not plain; as plain_work_at."""
    return _BEHAVED_WORK(table), _address_of_table


@_instruction
def is_plain(typing_context: Any, work: Any) -> Any:
    """Whether the day is plain (Scenario.is_plain): a constant, so that a plain day runs through no other code."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(ir.IntType(1), int(signature.args[0] == _PLAIN_WORK))

    return types.boolean(work), generate


def table_of(work: Work) -> np.ndarray:
    """Addresses and lengths of the arrays of a Work, uint64, for work_at."""
    words: list[int] = []
    for (name, dtype), array in zip(_DTYPES.items(), work, strict=True):
        assert array.dtype == dtype, f"{name} is {array.dtype}, not {dtype}"
        assert array.ndim == 1 and array.flags.carray, f"{name} is not one run of memory"
        words += (_address(array), len(array)) if len(array) else (0, 0)
    return np.array(words, np.uint64)


def _address(array: np.ndarray) -> int:
    """Where an array lies. In a small day asking takes a tenth of the time: the quicker of two ways, where it goes."""
    if array.dtype.names is None and array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    return array.ctypes.data


@_instruction
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Place of the lowest bit that is set in a uint64; there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@_instruction
def highest_bit(typing_context: Any, word: Any) -> Any:
    """Place of the highest bit that is set in a uint64; there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        leading_zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.IntType(64)(63), leading_zeros)

    return types.uint64(types.uint64), generate


@_instruction
def cycle_counter(typing_context: Any) -> Any:
    """The processor's counter of cycles, uint64, where it has one that a program may read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(ir.IntType(64), ()))
        return builder.call(counter, ())

    return types.uint64(), generate
