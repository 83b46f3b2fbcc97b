"""Command groups that other packages bring, by entry point (`hoptax.commands`): functions by name, no command line of their own.

A group's module has `HELP` and `COMMANDS`, a mapping from names to functions whose parameters are the options.
"""

from importlib.metadata import entry_points

import typer


def add_groups(app: typer.Typer) -> None:
    """Every group that is installed, ours like anybody's."""
    for point in sorted(entry_points(group="hoptax.commands"), key=lambda each: each.name):
        module = point.load()
        group = typer.Typer(name=point.name, help=module.HELP, no_args_is_help=True)
        for name, function in module.COMMANDS.items():
            group.command(name)(function)
        app.add_typer(group, name=point.name)
