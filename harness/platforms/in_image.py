"""What a cluster runs of a plan's programs: asked of the image that runs there, since this machine's files say nothing about it.

`python -m harness.platforms.in_image MODULE…` prints, in a container, what its image has of these modules, as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping

from harness.model.errors import EnvironmentFailure
from harness.model.program import Program
from harness.platforms import programs

ENGINE = Program("hoptax-load", module="harness.load.engine")
"""Its package is the part of the instrument that measures; nothing of it may differ from what judges here."""
WITHIN_S = 30.0
Described = dict[str, str]


def described(
    wanted: Iterable[Program], mesh_images: Mapping[str, str], inside: Mapping[str, Described]
) -> list[Described]:
    """For the manifest: a vendor's image by its reference, modules as `inside` the image, and what runs here as it is here."""
    return [_described(program, _reference(program, mesh_images), inside) for program in wanted]


def _described(program: Program, reference: str, inside: Mapping[str, Described]) -> Described:
    if reference:
        _, _, digest = reference.partition("@sha256:")
        return {"name": program.name, "version": f"image {reference}", "digest": digest[:16]}
    if program.module:
        return {"name": program.name, **inside[program.module]}
    return programs.describe(program)


def _reference(program: Program, mesh_images: Mapping[str, str]) -> str:
    return mesh_images.get(program.name, program.image) if program.image else ""


def ask(command: tuple[str, ...], image: str, wanted: Iterable[Program]) -> dict[str, Described]:
    """What the image says; `command` runs the words after it there. EnvironmentFailure if its engine isn't this one."""
    modules = sorted({program.module for program in wanted if program.module} | {ENGINE.module})
    words = (*command, "python", "-m", "harness.platforms.in_image", *modules)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN_S, check=False)
        inside: dict[str, Described] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise EnvironmentFailure(f"image {image} doesn't tell what is in it ({error}): build it again") from error
    if missing := [module for module in modules if module not in inside]:
        raise EnvironmentFailure(f"image {image} has no {', '.join(missing)}: build it from this tree (make images)")
    check(image, inside[ENGINE.module])
    return inside


def check(image: str, engine: Mapping[str, str]) -> None:
    """EnvironmentFailure if the load engine of the image is another than ours."""
    ours = programs.describe(ENGINE)
    if engine["digest"] != ours["digest"]:
        raise EnvironmentFailure(
            f"image {image} has another load engine (hoptax {engine['version']}, {engine['digest']}) than this harness "
            f"({ours['version']}, {ours['digest']}): build it from the same tree (make images) and load it into the cluster"
        )


def told(modules: Iterable[str]) -> dict[str, Described]:
    """Version and digest of each module here; modules that aren't here are left out."""
    found = {}
    for module in modules:
        try:
            document = programs.describe(Program(module, module=module))
        except EnvironmentFailure:
            continue
        found[module] = {key: value for key, value in document.items() if key != "name"}
    return found


if __name__ == "__main__":
    print(json.dumps(told(sys.argv[1:])))
