"""A locustfile as the harness sees it: which users it has, whether they wait for answers, and why it can't be run.

`python -m harness.load.locust_file FILE` prints that as one line of JSON, in a process of its own, because the file's code runs
and because Locust patches sockets and threads.
"""

import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from locust import User
from locust.util.load_locustfile import load_locustfile

from harness.load.locust_adapter import OpenLoopUser
from harness.load.schedule import check_schedule
from harness.load.users import Users
from harness.model.errors import UsageError


@dataclass(frozen=True, slots=True)
class LocustFile:
    """The user classes of a file, and what the harness has to know of them."""

    classes: tuple[type[User], ...]
    users: Users


def load(path: Path) -> LocustFile:
    """Runs the file. UsageError, naming file and line, if it raises or holds nothing that hoptax can run."""
    try:
        found, shapes = load_locustfile(str(path.absolute()))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, sys.exit included, is about the user's code
        raise UsageError(
            f"locustfile {path}{_line(path, error)}: {_said(error)}; mend it, nothing was started"
        ) from None
    if shapes:
        raise UsageError(
            f"locustfile {path} has a LoadTestShape, {type(shapes[0]).__name__}: hoptax keeps a load constant; "
            "run it with plain locust, or remove the shape"
        )
    classes = tuple(user for user in found.values() if user.weight > 0 or user.fixed_count > 0)
    if not classes:
        raise UsageError(
            f"locustfile {path} has no user class: define one on locust.FastHttpUser, or on "
            "harness.load.locust_adapter.OpenLoopUser"
        )
    return LocustFile(classes, _users(path, classes))


def _users(path: Path, classes: tuple[type[User], ...]) -> Users:
    names = tuple(user.__name__ for user in classes)
    open_ones = [user for user in classes if issubclass(user, OpenLoopUser)]
    if not open_ones:
        if idle := [user.__name__ for user in classes if not user.tasks]:
            raise UsageError(f"locustfile {path}: user {idle[0]} has no task: mark a method with @task")
        return Users("closed", names)
    if len(classes) > 1:
        raise UsageError(
            f"locustfile {path} has the users {', '.join(names)}: with an OpenLoopUser hoptax runs that one alone; "
            "put each into a file of its own"
        )
    user = open_ones[0]
    try:
        check_schedule(float(user.rate_rps), 1.0, user.arrivals)
        return Users(
            "open", names, float(user.rate_rps), str(user.arrivals), int(user.connections), float(user.timeout_s)
        )
    except (UsageError, TypeError, ValueError) as error:
        raise UsageError(f"locustfile {path}: user {names[0]}: {error}") from None


def _line(path: Path, error: BaseException) -> str:
    """`, line 12`: the last line of the file itself on the way to the error; "" if it wasn't reached."""
    own = str(path.absolute())
    if isinstance(error, SyntaxError) and error.filename == own:
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f", line {lines[-1]}" if lines else ""


def _said(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError) and not error.__traceback__:
        return "no such file"
    text = (error.msg if isinstance(error, SyntaxError) else str(error)).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def own_stdout() -> int:
    """A descriptor of stdout for us alone; whatever else prints goes to stderr from now on, the file's `print` too."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return ours


def main() -> None:
    """Print what the file holds, or the refusal."""
    stdout = own_stdout()
    try:
        answer = asdict(load(Path(sys.argv[1])).users)
    except UsageError as error:
        answer = {"refused": str(error)}
    os.write(stdout, json.dumps(answer).encode() + b"\n")
    # A thread or greenlet that the file started must not keep us.
    os._exit(0)


if __name__ == "__main__":
    main()
