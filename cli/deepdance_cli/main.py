"""Entry points: the Typer app, errors in one line, and `dd`'s courtesy to the coreutils program of the same name."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deepdance.controls import escape_controls
from deepdance_cli import (
    clean,
    compare,
    curves,
    doctor,
    evaluate,
    export,
    extend,
    generate,
    measure,
    play,
    plugins,
    prepare,
    recipe,
    report,
    run,
    runs,
    sweep,
)
from deepdance_cli.output import OutputLostError, guard_streams, show_messages
from deepdance_cli.signals import Signals

ALL = "*"
COREUTILS = re.compile(r"(if|of|[ioc]?bs|count|skip|seek|iseek|oseek|conv|iflag|oflag|status)=")
OS_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, with dd clean too, or choose another --workspace",
    errno.EDQUOT: "the disk quota is used up: free some space, with dd clean too, or choose another --workspace",
    errno.EACCES: "choose a place that can be written, with --workspace or --out",
    errno.EROFS: "choose a place that can be written, with --workspace or --out",
}

STOPPED = "finished stages are kept, the same command goes on from there"


class _CarriedError(Exception):
    """Takes an error past Typer, which would end the program for it in a way of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Commands(TyperGroup):
    def invoke(self, context: Any) -> Any:
        """Run a command. The end of a file that is read is no end of input at a prompt, which is an Abort already."""
        try:
            return super().invoke(context)
        except (EOFError, BrokenPipeError) as error:
            raise _CarriedError(error) from None


app = typer.Typer(
    name="dd",
    cls=_Commands,
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


MAKE, JUDGE, TEND = "Dance", "Look and measure", "Keep in order"
"""Panels of the help. Within each a group, such as `export`, comes after the commands."""

app.command("run", rich_help_panel=MAKE)(run.run)
app.command("sweep", rich_help_panel=MAKE)(sweep.sweep)
app.command("prepare", rich_help_panel=MAKE)(prepare.prepare)
app.command("generate", rich_help_panel=MAKE)(generate.generate)
app.command("extend", rich_help_panel=MAKE)(extend.extend)
app.command("play", rich_help_panel=MAKE)(play.play)
app.add_typer(export.app, name="export", rich_help_panel=MAKE)
app.command("report", rich_help_panel=JUDGE)(report.report)
app.command("evaluate", rich_help_panel=JUDGE)(evaluate.evaluate)
app.command("measure", rich_help_panel=JUDGE)(measure.measure)
app.command("compare", rich_help_panel=JUDGE)(compare.compare)
app.command("curves", rich_help_panel=JUDGE)(curves.curves)
app.command("runs", rich_help_panel=TEND)(runs.runs)
app.command("clean", rich_help_panel=TEND)(clean.clean)
app.command("doctor", rich_help_panel=TEND)(doctor.doctor)
app.add_typer(plugins.app, name="plugins", rich_help_panel=TEND)
app.add_typer(recipe.app, name="recipe", rich_help_panel=TEND)


def main() -> None:
    """`deepdance`: run the app and end the process.

    With 0, with 2 after a mistake, or after a signal with 128 and its number: 130 after Ctrl-C.
    """
    guard_streams()
    signals, invocation = Signals(), Invocation()
    try:
        signals.catch()
        with show_messages():
            code = _call_app(invocation)
        signals.close()
    except BaseException as error:
        signals.close()
        code = _end(error, signals.received, invocation.debug)
    signals.finish(code)
    sys.exit(code)


def _call_app(invocation: Invocation) -> int:
    """The exit code. Raises what ended the command, whatever Typer makes of it."""
    try:
        code = app(args=_move_shared_options_first(sys.argv[1:]), standalone_mode=False, obj=invocation)
    except _CarriedError as carried:
        raise carried.error from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _end(error: BaseException, received: int, debug: bool) -> int:
    """Tell in one line why the program ends, and with which exit code."""
    if received or isinstance(error, KeyboardInterrupt):
        return _tell(_describe_stop(error, received), 128 + (received or signal.SIGINT))
    if isinstance(error, OutputLostError):
        lost = f"could not write to standard output: {error}; send it elsewhere; {STOPPED}"
        return 0 if error.reader_left else _tell(lost, 2)
    if not isinstance(error, Exception):
        raise error
    if debug:
        sys.excepthook = _show_traceback
        raise error
    if getattr(error, "message", None) == "" and not hasattr(error, "param"):
        return 2  # the help was asked for by giving no arguments, and is shown
    return _tell(_describe_error(error), 2)


def _describe_stop(error: BaseException, received: int) -> str:
    from deepdance.errors import PluginError

    if isinstance(error, PluginError) and isinstance(error.__context__, KeyboardInterrupt):
        return str(error)
    by = f" by {signal.Signals(received).name}" if received not in (0, signal.SIGINT) else ""
    return f"stopped{by}; {STOPPED}"


def _show_traceback(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    print(escape_controls("".join(format_exception(kind, error, traceback))), end="", file=sys.stderr)  # noqa: T201


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


def _tell(message: str, code: int) -> int:
    print(f"dd: {escape_controls(' '.join(message.split()))}", file=sys.stderr)  # noqa: T201
    return code
