"""Entry points: the Typer app, errors in one line, and `dd`'s courtesy to the coreutils program of the same name."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli import (
    clean,
    compare,
    curves,
    doctor,
    evaluate,
    extend,
    generate,
    measure,
    plugins,
    prepare,
    recipe,
    run,
    runs,
)
from deepdance_cli.output import tolerate_encodings

ALL = "*"
COREUTILS = re.compile(r"(if|of|[ioc]?bs|count|skip|seek|iseek|oseek|conv|iflag|oflag|status)=")
OS_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, with dd clean too, or choose another --workspace",
    errno.EDQUOT: "the disk quota is used up: free some space, with dd clean too, or choose another --workspace",
    errno.EACCES: "choose a place that can be written, with --workspace or --out",
    errno.EROFS: "choose a place that can be written, with --workspace or --out",
}

app = typer.Typer(
    name="dd",
    help="Watches somebody dance and dances on. Start with: dd run my-video.mp4",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Invocation:
    """What holds for one call of the program, whatever the command."""

    debug = False


@app.callback()
def set_up(
    context: typer.Context,
    no_plugins: Annotated[
        list[str] | None,
        typer.Option(
            "--no-plugins",
            metavar="[=NAME,…]",
            show_default=False,
            help="Leave out every plugin, or those named by distribution or entry point; the built-ins stay. "
            "It may stand anywhere. DEEPDANCE_PLUGINS=NAME,… names the only ones to load.",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails. It may stand anywhere.")
    ] = False,
) -> None:
    """What holds for every command."""
    context.ensure_object(Invocation).debug = debug
    if no_plugins:
        from deepdance.plugins.discovery import leave_out

        for names in no_plugins:
            leave_out(None if names == ALL else names)


app.command("run")(run.run)
app.command("prepare")(prepare.prepare)
app.command("generate")(generate.generate)
app.command("extend")(extend.extend)
app.command("runs")(runs.runs)
app.command("evaluate")(evaluate.evaluate)
app.command("measure")(measure.measure)
app.command("compare")(compare.compare)
app.command("curves")(curves.curves)
app.add_typer(plugins.app, name="plugins")
app.add_typer(recipe.app, name="recipe")
app.command("clean")(clean.clean)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """`deepdance`: run the app and end with 0, 2 after a mistake, or 130 after Ctrl-C."""
    tolerate_encodings()
    invocation = Invocation()
    try:
        code = app(args=_move_shared_options_first(sys.argv[1:]), standalone_mode=False, obj=invocation)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if invocation.debug:
            raise
        if getattr(error, "message", None) == "" and not hasattr(error, "param"):
            sys.exit(2)  # the help was asked for by giving no arguments, and is shown
        _fail(_describe_error(error), 2)
    if code == 130:
        _fail("stopped; finished stages are kept, the same command goes on from there", 130)
    sys.exit(code if isinstance(code, int) else 0)


def dd() -> None:
    """`dd`: the same, unless the arguments are meant for coreutils' `dd`."""
    if os.name == "posix" and _is_meant_for_coreutils(sys.argv[1:]):
        other = _find_other_dd()
        if other:
            os.execv(other, ["dd", *sys.argv[1:]])  # noqa: S606
    main()


def _move_shared_options_first(arguments: list[str]) -> list[str]:
    """`--debug`, `--no-plugins` and `--no-plugins=NAME` from wherever they stand, before all others."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    shared = [text for text in arguments[:end] if text.partition("=")[0] in ("--debug", "--no-plugins")]
    others = [text for text in arguments[:end] if text not in shared]
    valued = [f"{text}={ALL}" if text == "--no-plugins" else text for text in shared]
    return valued + others + arguments[end:]


def _is_meant_for_coreutils(arguments: list[str]) -> bool:
    if not arguments:
        return not sys.stdin or not sys.stdin.isatty()
    return COREUTILS.match(arguments[0]) is not None


def _find_other_dd() -> str | None:
    """The first executable `dd` on PATH that is not this program, here or in another environment."""
    for folder in os.get_exec_path():
        candidate = Path(folder) / "dd"
        if candidate.is_file() and os.access(candidate, os.X_OK) and not _is_script(candidate):
            return str(candidate)
    return None


def _is_script(path: Path) -> bool:
    """Whether a file begins as this program does wherever it is installed, and coreutils' dd does not."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _describe_error(error: Exception) -> str:
    from deepdance.errors import DeepDanceError

    if isinstance(error, DeepDanceError):
        return str(error)
    if hasattr(error, "format_message"):  # a usage error of Typer's
        context = getattr(error, "ctx", None)
        help_of = f"; see {context.command_path} --help" if context else ""
        return f"{error.format_message().rstrip('.')}{help_of}"
    if isinstance(error, MemoryError):
        return "expected enough memory, got none left; try a smaller --size or --set codec.batch_size=16"
    culprit = _find_culprit(error)
    if isinstance(error, OSError) and (error.errno in OS_ADVICE or not culprit):
        return _describe_os_error(error)
    if culprit:
        return f"{culprit}: {type(error).__name__}: {error}; --debug shows more; its author can mend it"
    return f"unexpected {type(error).__name__}: {error}; --debug shows where, please report it"


def _find_culprit(error: Exception) -> str:
    """The plugin that raised it, and where."""
    from deepdance.errors import PluginError
    from deepdance.plugins import discover
    from deepdance.plugins.culprits import find_culprit

    try:
        return str(find_culprit(error, discover()) or "")
    except PluginError:  # nothing could be loaded, so nothing raised
        return ""


def _describe_os_error(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    advice = OS_ADVICE.get(error.errno or 0, "check the path")
    return f"could not write or read{where}: {error.strerror or error}; {advice}; finished stages are kept"


def _fail(message: str, code: int) -> None:
    print(f"dd: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
