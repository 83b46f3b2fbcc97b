"""A kubectl that answers from a script and writes down what it was asked: for what is sent, not for what a cluster makes of it."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = [word for word in sys.argv[1:]]
sent = sys.stdin.read() if "--filename=-" in words else ""
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([words, sent]) + "\\n")
for start, answer in json.loads((here / "answers").read_text()).items():
    if " ".join(words).startswith(start):
        sys.stderr.write(answer.get("stderr", ""))
        sys.stdout.write(answer.get("stdout", ""))
        sys.exit(answer.get("code", 0))
"""


@dataclass(frozen=True)
class FakeKubectl:
    """Stands on PATH as `kubectl`."""

    folder: Path

    @classmethod
    def install(cls, folder: Path, answers: Mapping[str, Mapping[str, Any]]) -> "FakeKubectl":
        """`answers` by how a command line begins; anything else succeeds without a word."""
        program = folder / "kubectl"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        (folder / "answers").write_text(json.dumps(answers))
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        return cls(folder)

    def calls(self) -> list[tuple[list[str], str]]:
        """Command lines and what came on stdin, in order."""
        path = self.folder / "calls"
        return (
            [(words, sent) for words, sent in map(json.loads, path.read_text().splitlines())] if path.exists() else []
        )

    def lines(self) -> list[str]:
        """The command lines."""
        return [" ".join(words) for words, _ in self.calls()]
