"""The five interfaces of the pipeline, in the order a frame meets them.

source → remover → codec → sequence → codec → renderer

Every docstring below is the contract of a plugin, which `deepdance.testing` and `dd plugins check` hold it to. Arrays
are NumPy; `n` counts frames, `d` latent numbers. No component writes into an array that it is given.

What is "guarded" an author can leave out: the toolkit hands out every component with the guards of its kind
(`deepdance.guards`). They also look at what a component returns: floats are made float32, and anything else of a wrong
dtype or shape is a PluginError that names the component. The rest is the component's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from deepdance.arrays import Bools as Bools  # noqa: PLC0414  (offered from here too)
from deepdance.arrays import Float32 as Float32  # noqa: PLC0414
from deepdance.arrays import UInt8 as UInt8  # noqa: PLC0414
from deepdance.errors import InputError, OptionError, PluginError
from deepdance.events import Event
from deepdance.frames import Silhouettes, redraw, spread_evenly
from deepdance.streams import LatentStream as LatentStream  # noqa: PLC0414
from deepdance.streams import StreamOfParts
from deepdance.streams import as_one_shot as as_one_shot  # noqa: PLC0414
from deepdance.validation import validate

LONGEST_LOOK = 10_000
"""Frames that `FrameSource.sample` reads of a source that may have no end."""

Metrics = dict[str, float]
Presets = Mapping[str, Mapping[str, Any]]


class Options(BaseModel):
    """Base of every component's options: frozen; a misspelt name, NaN and infinity are errors.

    `presets` maps `quick`, `standard` and `paper` to the values that differ from the defaults there. `when_dancing`
    names what a trained sequence model reads only when it dances: another dance may change it without a new training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    presets: ClassVar[Presets] = {}
    when_dancing: ClassVar[frozenset[str]] = frozenset()


OptionsT = TypeVar("OptionsT", bound=Options)


class Component(ABC, Generic[OptionsT]):
    """What all components have: their options. `MyModel(units=64)` is `MyModel(MyOptions(units=64))`.

    The toolkit makes them in the second way, so a component with an `__init__` of its own takes `options`, and passes
    them on. Both ways are open to it then too. Raises OptionError, PluginError where options are not passed on.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "__init__" in vars(cls):
            cls.__init__ = _take_values(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, options: OptionsT | None = None, **values: Any) -> None:
        if options is not None:
            self._check_options(options, values)
        self.options: OptionsT = options if options is not None else self._make_options(values)

    def _check_options(self, options: Any, values: Mapping[str, Any]) -> None:
        name, model = type(self).__name__, find_options_model(type(self)).__name__
        if not isinstance(options, Options):
            raise OptionError(f"{name}: expected {model}, got {options!r}; give options by name: {name}(option=value)")
        if values:
            raise OptionError(f"{name}: expected {model} or options by name, got both; leave out one of them")

    def _make_options(self, values: Mapping[str, Any]) -> Any:
        return validate(find_options_model(type(self)), values, owner=type(self).__name__)


def _take_values(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` that takes `options`, for one that makes them of values too, as that of `Component` does."""
    named = signature(init).parameters
    if "options" not in named or any(each.kind is each.VAR_KEYWORD for each in named.values()):
        return init

    @wraps(init)
    def made(self: Component[Any], *arguments: Any, **values: Any) -> None:
        own = signature(init)
        fields = {name: values.pop(name) for name in [*values] if name not in own.parameters}
        given = own.bind_partial(self, *arguments, **values).arguments
        if "options" in given:
            self._check_options(given["options"], fields)
        else:
            values["options"] = self._make_options(fields)
        init(self, *arguments, **values)
        if not hasattr(self, "options"):
            raise PluginError(
                f"{type(self).__name__}: expected its __init__ to pass its options on, got none; "
                "call super().__init__(options) in it"
            )

    return made


def find_options_model(component: type) -> type[Options]:
    """The class of a component's options, as its base says: `FrameCodec[MyOptions]`; `Options` where none does."""
    bases = [base for each in component.__mro__ for base in vars(each).get("__orig_bases__", ())]
    models = [model for base in bases for model in get_args(base) if isinstance(model, type)]
    return next((model for model in models if issubclass(model, Options)), Options)


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source before its frames are read. `None` means: not known."""

    height: int
    width: int
    fps: float | None = None
    seconds: float | None = None
    silhouettes: bool = False
    """The frames are silhouettes already, so no remover is applied."""
    alpha: bool = False
    """Some of it is transparent, and was laid on white: what is white is background."""


class FrameSource(Component[OptionsT]):
    """Reads RGB frames from `location`: a path, or whatever the source understands."""

    def __init__(self, location: str, options: OptionsT | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self.location = location

    @abstractmethod
    def info(self) -> SourceInfo:
        """Probe without reading everything. Raises InputError if there is nothing to read."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A string that changes when the frames change (for a file: its size and a hash of its content)."""

    @abstractmethod
    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)`, uint8 RGB, all of one `h` and `w`.

        Frames keep their shape: they are scaled down to fit inside `size` (height, width) and never enlarged.
        Sample `k` is the first frame with `pts · fps ≥ k`, the first frame's pts being 0; rotation metadata is
        applied. Memory does not grow with the length of the source. Raises InputError.

        Guarded: an empty chunk is left out.
        """

    def shot_starts(self) -> Sequence[int]:
        """Samples at which a camera cut lies, once `frames` is exhausted; sample 0 is implied."""
        return ()

    def sample(self, count: int, size: tuple[int, int]) -> UInt8:
        """About `count` frames `(n, h, w, 3)` spread evenly over the whole, for a look that must be quick.

        They look as `frames` would give them. There is at least one, and of a short source there are fewer. Raises
        InputError.

        This one reads all, at a low rate and at most `LONGEST_LOOK` frames: override it where a source can jump.
        """
        info = self.info()
        rate = count / info.seconds if info.seconds else 1.0
        frames = chain.from_iterable(self.frames(min(rate, info.fps or rate), size))
        sampled = spread_evenly(islice(frames, LONGEST_LOOK), count)
        if not sampled:
            raise InputError(f"{self.location}: expected frames, got none; choose another input")
        return np.stack(sampled)


class BackgroundRemover(Component[OptionsT]):
    """Turns RGB frames into silhouettes. A new instance is made for every clip, so it may keep state.

    A clip comes in chunks of any length, down to a single frame; what is kept does not grow with it.
    """

    @classmethod
    def fetch(cls, tell: Callable[[str, int, int | None], None]) -> None:
        """Get what the remover needs and does not bring, such as a network's weights; called before one is made.

        `tell` is called with what is fetched, and the bytes that are here and those of the whole, if known. Nothing to
        get is the default. Raises MissingModelError.
        """

    def survey(self, sample: Callable[[int], UInt8]) -> None:
        """Look at the clip before its first frame comes; `sample(count)` gives about `count` frames, spread over it.

        They are as `remove` is given them, `(n, h, w, 3)`. No look is the default, and a remover works without one.
        """

    @abstractmethod
    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, uint8: 0 is the dancer, 255 the background.

        Guarded: an empty chunk does not get here.
        """


@dataclass(frozen=True)
class Training:
    """What a `fit` is given besides its data."""

    seed: int = 0
    folder: Path | None = None
    """Where a checkpoint may be left each epoch; a later `fit` with the same data and options goes on from it, and ends
    as if it had never stopped. A damaged checkpoint is dropped: all of it is read and checked before any is used."""
    on_epoch: Callable[[int, int, Metrics], None] = lambda epoch, epochs, metrics: None
    """Called after each epoch, and after its checkpoint, with its number from 1, the number of epochs, and the metrics.
    What it raises ends the training; it raises TrainingError where `loss` is not finite, or ten times the first one."""
    on_progress: Callable[[int, int], None] = lambda done, total: None
    """Called within an epoch with the samples done and their total."""
    on_note: Callable[[str], None] = lambda note: None
    """Called before and after the epochs with what is being done, where that takes seconds."""


History = list[Metrics]
"""One entry an epoch: `loss`, `acc`, `val_loss`, `val_acc` (the last two only with validation data). `loss` must be
there."""


class FrameCodec(Component[OptionsT]):
    """Turns silhouettes into latent vectors and back."""

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Numbers in one latent vector."""

    @abstractmethod
    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        """Learn from `(n, height, width)` uint8 silhouettes. Deterministic from `training.seed`.

        One frame is enough, and `validation` may be empty. Guarded: without a frame it is an InputError; where all
        frames come out as one picture, or the loss has left all bounds, a TrainingError.
        """

    @abstractmethod
    def encode(self, frames: UInt8) -> Float32:
        """`(n, height, width)` silhouettes → `(n, d)` float32 latents, finite.

        Guarded: no frames have no latents, and do not get here.
        """

    @abstractmethod
    def decode(self, latents: Float32) -> UInt8:
        """`(n, d)` latents → `(n, height, width)` uint8 silhouettes.

        Guarded: latents are finite and at least one. One with NaN or infinity in it is shown as background (255).
        """

    def decode_at(self, latents: Float32, size: tuple[int, int]) -> UInt8:
        """`(n, d)` latents → `(n, *size)` uint8 silhouettes, drawn for `size` (height, width).

        They keep their shape: they are centred, and what is left over is background. At the size of `decode` they are
        what it gives. This one redraws the outlines of `decode`: override it where latents know more than those show.

        Guarded: as for `decode`.
        """
        return redraw(self.decode(latents), size)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder: JSON, npy/npz or `.keras`, never pickles."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, options: OptionsT) -> Self:
        """The codec as it was saved: the same inputs give the same numbers."""


class SequenceModel(Component[OptionsT]):
    """Predicts the next latent vectors from the last ones. One that keeps its state is a `StreamingModel`.

    `is_deterministic` says that `generate` ignores `temperature` and `rng`: who gives a temperature is told so.
    """

    is_deterministic: ClassVar[bool] = False

    @property
    @abstractmethod
    def context(self) -> int:
        """Latents that a prediction is made from."""

    @abstractmethod
    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        """Learn from clips of latents, each `(n, d)`; no window crosses a clip's end.

        A validation clip may begin with up to `context` latents of the training clip before it, as lead-in only. A clip
        may be too short to learn from, or empty, and there may be none to validate with.

        Guarded: it is an InputError where no training clip is longer than `context`, or latents are not finite.
        """

    @abstractmethod
    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        """Continue a batch of seeds `(b, context, d)` by `steps` latents: `(b, steps, d)`, finite.

        One compiled loop, no Python round trip a frame. A deterministic model ignores `temperature` and `rng`; another
        draws the same for the same `rng`. A seed is continued alike alone and first in a batch, and a long dance begins
        as a short one.

        Guarded: seeds are float32 and finite, else it is an InputError; `steps` is at least 1. What is not finite is a
        PluginError.
        """

    def generate_shots(
        self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0
    ) -> tuple[Float32, Bools]:
        """What `generate` gives, and which latents begin a new shot, `(b, steps)`: nothing is mixed across such a cut.

        One shot is the default: override it where a dance cuts. Guarded as `generate` is.
        """
        return as_one_shot(self.generate(seed, steps, temperature=temperature, rng=rng))

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        """What `generate_shots` gives, without an end, and at a temperature that may change on the way.

        This one calls `generate_shots` for up to `streams.LONGEST_PART` steps, and again from the last latents of
        those. It has a price: at each such joint, and at each new temperature, all is forgotten but the last `context`
        latents. What was shown is shown again sooner: of a model that avoids that, 753 distinct real frames in five
        minutes became 394 where a part had 30 steps. A `StreamingModel` forgets nothing.

        Guarded as `generate` is.
        """
        return StreamOfParts(self.generate_shots, seed, temperature, rng)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder: JSON, npy/npz or `.keras`, never pickles."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, options: OptionsT) -> Self:
        """The model as it was saved: the same inputs give the same numbers."""


class StreamingModel(SequenceModel[OptionsT]):
    """A sequence model that keeps its state from one step to the next: `generate` is its `stream`, run to a length."""

    @abstractmethod
    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        """Continue a batch of seeds `(b, context, d)` without an end.

        As many latents come the same, however they are taken: 100 and 100 are 200 at once. All that `generate` promises
        holds here.
        """

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        return self.stream(seed, temperature=temperature, rng=rng).take(steps)[0]

    def generate_shots(
        self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0
    ) -> tuple[Float32, Bools]:
        return self.stream(seed, temperature=temperature, rng=rng).take(steps)


class Renderer(Component[OptionsT]):
    """Writes silhouettes to a file, or to a folder of files where `path` has no ending."""

    @abstractmethod
    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` to `path` as they come; what they raise passes.

        `path` may be overwritten: the caller gives a temporary name and renames it when the renderer returns. A folder
        is made by the renderer, and its files are called by numbers: `000001.png`.

        Guarded: no chunk is empty; without a frame it is a RenderError, and so is an OSError in writing.
        """


class Logger(Component[OptionsT]):
    """Writes down what a run tells, for `--log NAME`: a listener, made anew for every command."""

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Take notice of an event, while the run waits. It writes into the folder of `RunStarted` alone.

        A run ends with `RunFinished` or `Failed`; one that fails early never had a `RunStarted`. Metrics may be NaN.
        Guarded: a logger that raises is told of in a warning, and hears nothing more; the run goes on.
        """


INTERFACES: dict[str, type] = {
    "source": FrameSource,
    "remover": BackgroundRemover,
    "codec": FrameCodec,
    "sequence": SequenceModel,
    "renderer": Renderer,
    "logger": Logger,
}
"""The interface of each kind of component."""
