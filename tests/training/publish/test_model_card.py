"""What ships was made by the settings and commands that are written down."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from support.training import BUNDLED

from training import __main__ as command
from training.network.recipe import Recipe


def test_the_settings_as_they_are_made_the_bundled_weights() -> None:
    recipes = json.loads((BUNDLED / "recipe.json").read_text())
    assert Recipe(**recipes[-1]) == Recipe()


def test_the_guide_gives_the_commands_of_the_runs_that_made_the_bundled_weights() -> None:
    guide = Path(command.__file__).with_name("README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    runs = [shlex.split(line)[3:] for line in guide.splitlines() if line.startswith("python -m training train ")]
    runs = [run for run in runs if "WORK" not in run]
    recipes = json.loads((BUNDLED / "recipe.json").read_text())
    assert len(runs) == len(recipes)
    # What a run's recipe does not name was not there yet, so the command has to leave it out.
    not_yet = {"encoder_layers": 0, "misread": 0.0, "end_hidden": 0.0, "punctuation_hidden": 0.0}
    for run, recipe in zip(runs, recipes, strict=True):
        options, read = command.read(run)
        expected = not_yet | ({"kept": 0.0} if options.start else {}) | recipe
        assert {name: getattr(read, name) for name in expected} == expected
