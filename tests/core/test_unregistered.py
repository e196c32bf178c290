"""A class of a script or a notebook in place of a component's name."""

import subprocess
import sys
import textwrap
from operator import itemgetter

import numpy as np
import pytest
from conftest import SMALL

import deepdance
from deepdance.errors import OptionError, PluginError
from deepdance.events import ArtifactReady
from deepdance.interfaces import FrameCodec, Options, Renderer, SequenceModel, Training
from deepdance.plugins import fingerprints

SMALL_RUN = {"codec": {"name": "pca", "latent_dim": 8}, "size": SMALL, "frames": 20}


class WalkOptions(Options):
    step: float = 0.1


class Walk(SequenceModel[WalkOptions]):
    """Goes on by a step in each latent."""

    context = 2

    def fit(self, train, validation, training):
        return [{"loss": self.options.step, "acc": 0.0}]

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        ahead = np.arange(1, steps + 1, dtype=np.float32)[None, :, None]
        return seed[:, -1:] + self.options.step * ahead

    def save(self, folder):
        (folder / "model.txt").write_text("nothing is learned")

    @classmethod
    def load(cls, folder, options):
        return cls(options)


class Text(Renderer[Options]):
    suffixes = (".txt",)

    def render(self, frames, fps, path):
        path.write_text("\n".join(f"{(frame < 128).mean():.3f}" for chunk in frames for frame in chunk))


def run(silhouettes, folder, **fields):
    heard = []
    made = deepdance.run(silhouettes, **{**SMALL_RUN, **fields}, workspace=folder, listen=[heard.append])
    return made, {event.stage: event.reused for event in heard if isinstance(event, ArtifactReady)}


def test_an_instance_is_run_with_its_options_and_opened_again_with_its_class(silhouettes, tmp_path, dd):
    made, _ = run(silhouettes, tmp_path, sequence=Walk(step=0.5))
    assert made.recipe.sequence.table() == {"name": "python:Walk", "step": 0.5}
    assert isinstance(made.sequence, Walk)
    assert made.sequence.options.step == 0.5
    assert made.dance(frames=5).shape == (5, *SMALL)
    assert all(run(silhouettes, tmp_path, sequence={"name": Walk, "step": 0.5})[1].values())
    assert not run(silhouettes, tmp_path, sequence=Walk)[1]["sequence"]
    again = deepdance.open_run(made.folder, sequence=Walk)
    assert np.array_equal(again.frames, made.frames)
    assert {table.title for table in again.evaluate(20, 1).tables.values()}
    result = dd("generate", made.folder, "--out", "x.gif")
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert "got 'python:Walk', a class that was given in Python; there it goes on: deepdance.open_run(" in result.err


def test_a_model_that_has_changed_since_it_was_trained_is_told(silhouettes, tmp_path, monkeypatch, caplog, log):
    made, _ = run(silhouettes, tmp_path, sequence=Walk)
    deepdance.open_run(made.folder, sequence=Walk).dance(frames=5)
    assert "has changed" not in caplog.text
    monkeypatch.setattr(Walk, "context", 3)
    deepdance.open_run(made.folder, sequence=Walk).dance(frames=5)
    assert "Walk has changed since this run was made; dd run makes it anew" in caplog.text


def test_a_renderer_of_ones_own_and_a_component_that_is_registered(silhouettes, tmp_path):
    ridge = deepdance.sequence("ridge", context=3)
    made, _ = run(silhouettes, tmp_path / "w", sequence=ridge, codec=type(deepdance.codec("pca")), renderer=Text)
    assert (made.recipe.sequence.name, made.recipe.codec.name) == ("ridge", "pca")
    assert made.recipe.sequence.options["context"] == 3
    assert len(made.video.read_text().splitlines()) == 20
    assert deepdance.open_run(made.folder, renderer=Text).generate(tmp_path / "again.txt", frames=3).exists()
    plain = deepdance.open_run(deepdance.run(silhouettes, **SMALL_RUN, sequence=ridge, workspace=tmp_path / "w").folder)
    assert plain.generate(tmp_path / "other.txt", renderer=Text, frames=3).read_text().count("\n") == 2


class Lacking(FrameCodec[Options]):
    pass


class Untold(Walk):
    def __init__(self, units=3):
        super().__init__(WalkOptions())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"codec": Walk}, "codec: expected a name or a subclass of deepdance.interfaces.FrameCodec, got Walk"),
        ({"codec": Walk(step=1)}, "codec: expected a name or a subclass of"),
        (
            {"sequence": lambda seed: seed},
            "expected a name, a subclass of .*, got a function; derive a class",
        ),
        ({"codec": Training()}, "got a Training; derive a class from FrameCodec, and give that"),
        ({"codec": Lacking}, "a FrameCodec must have, got Lacking; add decode, encode, fit, latent_dim, load, save"),
        ({"sequence": Untold(units=4)}, r"made of its options, got Untold\(units=3\)"),
        (
            {"sequence": {"name": Walk, "stepp": 1}},
            "stepp: python:Walk has no such option; did you mean 'step'",
        ),
        ({"source": deepdance.source("demo")}, "source: expected a class, got one DemoSource"),
    ],
)
def test_what_is_no_component_is_refused(silhouettes, tmp_path, fields, message):
    with pytest.raises(deepdance.DeepDanceError, match=message):
        run(silhouettes, tmp_path, **fields)


def test_a_run_is_opened_with_no_other_class_than_its_own(silhouettes, tmp_path):
    made, _ = run(silhouettes, tmp_path, sequence="ridge")
    with pytest.raises(deepdance.DeepDanceError, match=r"sequence: expected ridge, as in the run .*, got python:Walk"):
        deepdance.open_run(made.folder, sequence=Walk)


def test_options_that_do_not_fit_are_told_where_an_instance_is_made():
    with pytest.raises(deepdance.DeepDanceError, match="stepp: Walk has no such option; did you mean 'step'"):
        Walk(stepp=1)
    assert Walk(WalkOptions(step=2)).options == Walk(step=2).options


class Prepared(Walk):
    def __init__(self, options: WalkOptions) -> None:
        super().__init__(options)
        self.doubled = 2 * options.step


class Derived(Prepared):
    def __init__(self, options):
        super().__init__(options)
        self.halved = options.step / 2


class Forgetful(Walk):
    def __init__(self, options):
        self.step = options.step


def test_an_init_of_ones_own_takes_options_by_name_too(silhouettes, tmp_path):
    made = Derived(step=0.5)
    assert (made.options.step, made.doubled, made.halved) == (0.5, 1.0, 0.25)
    assert Derived().options == Derived(WalkOptions()).options == Derived(options=WalkOptions()).options
    assert run(silhouettes, tmp_path, sequence=made)[0].sequence.doubled == 1.0


@pytest.mark.parametrize("component", [Walk, Derived])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda component: component(stepp=1), "stepp: .* has no such option; did you mean 'step'"),
        (lambda component: component(4), r"expected WalkOptions, got 4; give options by name: \w+\(option=value\)"),
        (lambda component: component(WalkOptions(), step=1), "expected WalkOptions or options by name, got both"),
    ],
)
def test_what_are_no_options_is_refused(component, make, message):
    with pytest.raises(OptionError, match=message):
        make(component)


def test_an_init_that_forgets_its_options_is_told():
    with pytest.raises(PluginError, match=r"Forgetful: .* pass its options on, got none; call super\(\)"):
        Forgetful(step=1)


CELL = """
from functools import cached_property, partial
from pathlib import Path
import numpy as np
from deepdance.interfaces import Options, Renderer

LEVEL, TABLE, FOLDER = 3, np.arange(3), Path("x")
names = {"a", "b"}

class MyOptions(Options):
    units: int = 3

    @property
    def doubled(self):
        return self.units * 2

def help(text):
    return text * LEVEL if len(text) < 9 else help(text[1:])

half = partial(help, text="half")

def make(closed):
    class Typed(Renderer[MyOptions]):
        SIZE = [1, 2]

        @cached_property
        def table(self):
            return TABLE, half(), FOLDER, names

        def render(self, frames, fps, path, scale=1.0):
            super().render
            path.write_text(help("text") + str(closed) + str(type(self)))
    return Typed

Typed = make(1)
"""


def define(cell=CELL):
    """The class of a notebook's cell: its module has no file."""
    names = {"__name__": "notebook"}
    exec(compile(cell, "<cell>", "exec"), names)
    return names["Typed"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make(1)", "make(2)"),
        ("LEVEL, TABLE, FOLDER = 3", "LEVEL, TABLE, FOLDER = 4"),
        ("np.arange(3)", "np.arange(4)"),
        ('Path("x")', 'Path("y")'),
        ('"b"}', '"c"}'),
        ('text="half"', 'text="whole"'),
        ("text * LEVEL", "text + LEVEL"),
        ("SIZE = [1, 2]", "SIZE = [1, 3]"),
        ("scale=1.0", "scale=2.0"),
        ("half(), FOLDER", "FOLDER, half()"),
        ("self.units * 2", "self.units * 3"),
    ],
)
def test_a_class_is_known_by_what_it_does(old, new):
    first, same, other = (fingerprints.fingerprint_class(define(CELL.replace(old, text))) for text in (old, old, new))
    assert first == same != other


def test_a_comment_changes_nothing():
    commented = CELL.replace("class Typed", "# a comment\n    class Typed")
    assert fingerprints.fingerprint_class(define(commented)) == fingerprints.fingerprint_class(define())


def test_a_class_is_known_as_it_is_now_and_as_another_process_knows_it(tmp_path):
    typed = define()
    first = fingerprints.fingerprint_class(typed)
    typed.SIZE = [1, 3]
    changed = fingerprints.fingerprint_class(typed)
    typed.SIZE, typed.render = [1, 2], lambda self, frames, fps, path: None
    assert len({first, changed, fingerprints.fingerprint_class(typed)}) == 3
    (tmp_path / "mine.py").write_text(CELL)
    ask = "from mine import Typed; from deepdance.plugins import fingerprints as f; print(f.fingerprint_class(Typed))"
    told = [
        subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True).stdout
        for _ in range(3)  # the second reads what the first has compiled, and none hashes strings as another
    ]
    assert len(set(told)) == 1
    assert len(told[0]) == 17


@pytest.mark.parametrize("imported", ["import helper", "from helper import jump", "def late():\n    import helper"])
def test_a_changed_helper_of_ones_own_counts(tmp_path, imported):
    use = {"import helper": "helper.jump()", "from helper import jump": "jump()"}.get(imported, "late()")
    cell = f"{imported}\n{CELL}".replace("super().render", use)
    (tmp_path / "mine.py").write_text(cell)
    ask = "from mine import Typed; from deepdance.plugins import fingerprints as f; print(f.fingerprint_class(Typed))"
    told = []
    for height in ("1", "1 # high", "22"):
        (tmp_path / "helper.py").write_text("import deeper\ndef jump(): return deeper.height()")
        (tmp_path / "deeper.py").write_text(f"def height(): return {height}")
        ran = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told.append(ran.stdout)
    assert told[0] == told[1] != told[2]


def test_a_class_that_uses_what_nobody_can_compare_is_never_taken_for_another(caplog, log):
    locked = define(f"import threading\n{CELL}".replace("SIZE = [1, 2]", "SIZE = threading.Lock()"))
    assert len({fingerprints.fingerprint_class(locked) for _ in range(2)}) == 2
    assert "Typed: it uses a lock, which cannot be compared with that of another time, so what it" in caplog.text


def test_a_changed_line_of_a_script_makes_its_stage_anew(silhouettes, tmp_path):
    np.save(tmp_path / "dance.npy", silhouettes)
    script = textwrap.dedent(
        """
        import deepdance
        from deepdance.events import ArtifactReady
        from deepdance_plugins.sequences.ridge import Ridge

        class Mine(Ridge):
            note = 1

        def show(event):
            if isinstance(event, ArtifactReady):
                print(event.stage, event.reused)

        fields = {"codec": "pca", "sequence": {"name": Mine, "context": 3}, "size": (24, 40), "frames": 9}
        deepdance.run("dance.npy", **fields, listen=[show])
        """
    )
    told = []
    for text in (script, script, script.replace("note = 1", "note = 2")):
        (tmp_path / "mine.py").write_text(text)
        ran = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told.append(dict(line.split() for line in ran.stdout.splitlines()))
    assert [each["codec"] for each in told] == ["False", "True", "True"]
    assert [each["sequence"] for each in told] == ["False", "True", "False"]


class Fails(Walk):
    def fit(self, train, validation, training):
        return [1][len(train) + 5]


def test_an_exception_of_ones_own_class_has_a_note_of_where(silhouettes, tmp_path):
    with pytest.raises(IndexError) as failed:
        run(silhouettes, tmp_path, sequence=Fails)
    line = Fails.fit.__code__.co_firstlineno + 1
    assert failed.value.__notes__ == [f"the sequence 'Fails' of {__name__} failed at {__file__}:{line}"]


def test_an_exception_of_ours_has_none(silhouettes, tmp_path, monkeypatch):
    from deepdance_plugins.codecs.pca import PCA

    monkeypatch.setattr(PCA, "save", itemgetter("no"))
    with pytest.raises(TypeError) as failed:
        run(silhouettes, tmp_path, sequence=Walk)
    assert not hasattr(failed.value, "__notes__")
