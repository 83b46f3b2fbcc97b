"""Program: how a plan names something to execute, without looking whether it is there. Platforms resolve it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """Either a Python module of an installed package (`module`), or a file of an installed distribution, or a name on PATH.

    `flags` go to the interpreter, before `-m`. `file` is the path inside `distribution` as its wheel records it.
    `hint` tells the user how to get the program when it is missing.
    `version_args` make the program print its version ("" = not asked).
    `root` is a folder whose packages a module is taken from instead of the installed ones: another checkout.
    `image` is where a cluster has it from, unless the user names another; then this machine doesn't need it.
    """

    name: str
    module: str = ""
    flags: tuple[str, ...] = ()
    distribution: str = ""
    file: str = ""
    version_args: tuple[str, ...] = ()
    hint: str = ""
    root: str = ""
    image: str = ""
