"""The commands as Typer knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from pieces import code, table

from deepdance_cli.main import app


def commands() -> str:
    """What stands before every command, then a section for each."""
    root = typer.main.get_command(app)
    context = root.make_context("dd", [], resilient_parsing=True)
    rows = [_row(parameter, context) for parameter in root.params if not parameter.hidden]
    sections = [_section(path, command) for path, command in walk(root, "dd")]
    return "\n".join([table(("option of all commands", "meaning"), rows), *sections])


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below `command` with its full name, those of groups among them."""
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from walk(child, f"{path} {name}")
        elif not child.hidden:
            yield f"{path} {name}", child


def _section(path: str, command: Any) -> str:
    about, *examples = [part.strip() for part in re.split(r"^\s*Example:", command.help or "", flags=re.MULTILINE)]
    shown = "\n".join(f"$ {example}" for example in examples)
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = [path, "[OPTIONS]", *(argument.metavar or argument.name.upper() for argument in arguments)]
    context = command.make_context(path, [], resilient_parsing=True)
    rows = [_row(parameter, context) for parameter in command.params if not parameter.hidden]
    return f"""\
## {path}

{about}

```console
{shown}
```

```text
{" ".join(usage)}
```

{table(("argument or option", "meaning"), rows)}
"""


def _row(parameter: Any, context: Any) -> tuple[str, str]:
    flags, meaning = parameter.get_help_record(context)
    if parameter.param_type_name == "argument":
        flags = parameter.metavar or parameter.name.upper()
    again = " May be given several times." if parameter.multiple else ""
    return ", ".join(map(code, flags.split(", "))), meaning.replace("<", "&lt;").replace("  [", " [") + again
