"""`python -m deepdance`: the program that the distribution installs."""

from importlib.metadata import distribution

(program,) = distribution("deepdance").entry_points.select(group="console_scripts", name="deepdance")
program.load()()
