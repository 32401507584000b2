# SPDX-License-Identifier: Apache-2.0
"""Options that several modules share: precision, and how an image is resized and divided."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from numbers import Real
from typing import Any, Optional

from . import _declarations as c
from ._library import init
from .errors import ArgumentError, ArrayTypeError

PRECISIONS = {
    "f32": c.ICSEG_PRECISION_F32,
    "bf16": c.ICSEG_PRECISION_BF16,
    "auto": c.ICSEG_PRECISION_AUTO,
    "bf16x2": c.ICSEG_PRECISION_BF16X2,
    "int8": c.ICSEG_PRECISION_INT8,
}
_REFINEMENTS = {"none": c.ICSEG_REFINE_NONE, "pamr": c.ICSEG_REFINE_PAMR}
_MODES = {"whole": c.ICSEG_EVAL_WHOLE, "slide": c.ICSEG_EVAL_SLIDE}


def choose(choices: dict[str, int], name: str, field: str) -> int:
    """The number of a name, or an exception that lists the names."""
    if not isinstance(name, str) or name not in choices:
        raise ArgumentError(f"{field}: {name!r} is not one of {', '.join(map(repr, choices))}", field=field)
    return choices[name]


def name_of(choices: dict[str, int], number: int) -> str:
    """The name of a number."""
    return next(name for name, value in choices.items() if value == number)


@dataclass(frozen=True)
class EvalOptions:
    """How an image is resized and divided for the network, and which variants of it are averaged.

    The label map always has the image's own size. `Model.eval_options` has the options with which the model was evaluated
    in its training, which are the default of every call.

    Attributes:
        mode: "whole": the whole image at once; "slide": overlapping windows whose logits are averaged.
        resize_short: the short side is resized to this many pixels; 0: the image keeps its size.
        resize_long: with resize_short: the most pixels the long side may have; 0: no limit.
        crop: height and width of a window in pixels; 0: 512.
        stride: steps of the windows downwards and to the right in pixels; 0: two thirds of the window.
        scales: test-time augmentation: factors of the resized image's sides, at most 8; empty: only 1.
        flip: test-time augmentation: also the mirrored image.
        refine: "pamr": pixel-adaptive mask refinement, which moves the edges of regions to those of the image; not with
            several scales and flip. "none": nothing.
    """

    mode: str = "whole"
    resize_short: int = 0
    resize_long: int = 0
    crop: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (0, 0)
    scales: tuple[float, ...] = ()
    flip: bool = False
    refine: str = "none"

    def __post_init__(self) -> None:
        for name in ("crop", "stride"):
            pair = getattr(self, name)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ArgumentError(f"{name} is {pair!r}; expected two numbers, such as (512, 512)", field=name)
            object.__setattr__(self, name, tuple(pair))
        if not isinstance(self.scales, (tuple, list)) or not all(isinstance(s, Real) for s in self.scales):
            raise ArgumentError(f"scales is {self.scales!r}; expected factors, such as (0.75, 1.25)", field="scales")
        if len(self.scales) > c.ICSEG_EVAL_SCALES:
            raise ArgumentError(f"scales: {len(self.scales)} factors; at most {c.ICSEG_EVAL_SCALES}", field="scales")
        object.__setattr__(self, "scales", tuple(float(s) for s in self.scales))

    def to_struct(self) -> Any:
        """An icseg_eval_options."""
        out = init(
            c.icseg_eval_options,
            mode=choose(_MODES, self.mode, "mode"),
            resize_short=self.resize_short,
            resize_long=self.resize_long,
            crop_height=self.crop[0],
            crop_width=self.crop[1],
            stride_height=self.stride[0],
            stride_width=self.stride[1],
            scale_count=len(self.scales),
            flip=self.flip,
            refine=choose(_REFINEMENTS, self.refine, "refine"),
        )
        out.scale[: len(self.scales)] = self.scales
        return out

    @classmethod
    def from_struct(cls, options: Any) -> EvalOptions:
        """The options of an icseg_eval_options."""
        return cls(
            mode=name_of(_MODES, options.mode),
            resize_short=options.resize_short,
            resize_long=options.resize_long,
            crop=(options.crop_height, options.crop_width),
            stride=(options.stride_height, options.stride_width),
            scales=tuple(options.scale[: options.scale_count]),
            flip=options.flip,
            refine=name_of(_REFINEMENTS, options.refine),
        )


def eval_pointer(options: Optional[EvalOptions]) -> Any:
    """A pointer to the options as the library reads them; None for None."""
    if options is None:
        return None
    if not isinstance(options, EvalOptions):
        raise ArrayTypeError(f"options: {type(options).__name__}; expected an icseg.EvalOptions", field="options")
    return ctypes.pointer(options.to_struct())
