"""What somebody who clones, installs or ships the project relies on, apart from what the app does."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from support.server import serving
from support.tabs import Tabs

from attnviz.ui.shell.messages import LANGUAGES, web_name

ROOT = Path(__file__).resolve().parent.parent
SCREENS = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
PACKAGE = sorted((ROOT / "attnviz").rglob("*.py"))


def name_of(path: Path) -> str:
    """`attnviz/figures/style.py` is attnviz.figures.style; a package's __init__ goes by the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in PACKAGE}

# The floors of the package, from the ground up: what stands on one may import from those below it and none above.
# Modules of one floor may import each other, as long as no circle comes of it.
FLOORS = (
    ["errors", "display", "examples", "typography"],
    ["tokenization"],
    ["attention"],
    ["models"],
    ["computation", "embeddings", "generation"],
    ["aggregate"],
    ["measures", "interventions", "attribution", "roles"],
    ["figures"],
    ["export"],
    ["serving"],
    ["ui.shell"],
    ["ui.components", "ui.controls"],
    ["ui.screens"],
    ["ui.server"],
    ["commands"],
    ["__main__"],
)


def statements(tree: ast.AST, *, when_loaded: bool) -> Iterator[ast.stmt]:
    """The import statements of a module: all of them, or only those that run while it loads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif when_loaded and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue  # for readers and the type checker only
        else:
            yield from statements(node, when_loaded=when_loaded)


def imports(path: Path, *, when_loaded: bool = False) -> set[str]:
    """Full names of the modules that a file imports."""
    found: set[str] = set()
    package = name_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), when_loaded=when_loaded):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from attnviz import maps` imports the module, `from attnviz.maps import AttentionMap` a name in it.
            found.update(full if (full := f"{module}.{alias.name}") in NAMES else module for alias in node.names)
    return found


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# Imports ------------------------------------------------------------------------------------------------------------


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "tokenizers", "streamlit", "plotly", "pandas", "numpy"}
    program = f"import attnviz, sys; print(*sorted({heavy!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_only_the_screens_import_streamlit(path: Path) -> None:
    if not inside(name_of(path), "attnviz.ui"):
        assert not [name for name in imports(path) if inside(name, "streamlit")]


@pytest.mark.parametrize("path", [p for p in PACKAGE if inside(name_of(p), "attnviz.figures")], ids=name_of)
def test_figures_are_drawn_from_numbers_alone(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in {"torch", "transformers", "streamlit"}]


def floor_of(name: str) -> int:
    """Where a module stands in FLOORS; -1 for the face of the whole package and of `ui`, which import little."""
    found = [number for number, floor in enumerate(FLOORS) for room in floor if inside(name, f"attnviz.{room}")]
    assert len(found) == 1 or name in {"attnviz", "attnviz.ui"}, f"{name} stands on no floor of FLOORS"
    return found[0] if found else -1


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_imports_flow_one_way(path: Path) -> None:
    own = floor_of(name_of(path))
    if own >= 0:
        needed = {name for name in imports(path) if name in NAMES}
        assert not [name for name in sorted(needed) if floor_of(name) > own]


@pytest.mark.parametrize("path", [p for p in PACKAGE if inside(name_of(p), "attnviz.ui.screens")], ids=name_of)
def test_no_screen_imports_another(path: Path) -> None:
    def screen(name: str) -> str:
        return ".".join(name.split(".")[:4])

    others = [name for name in imports(path) if inside(name, "attnviz.ui.screens")]
    assert not [name for name in others if screen(name) != screen(name_of(path))]


def test_the_package_does_without_the_pages() -> None:
    assert not [path.name for path in PACKAGE for name in imports(path) if inside(name, "pages") or inside(name, "app")]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count too: a circle that is only closed when something is called is one all the same."""
    needs = {name_of(path): {n for n in imports(path) if n in NAMES} for path in PACKAGE}
    finished: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above[above.index(name) :], name])
        if name not in finished:
            for needed in sorted(needs[name]):
                visit(needed, (*above, name))
            finished.add(name)

    for name in sorted(needs):
        visit(name, ())


def test_no_folders_need_each_other() -> None:
    """Of two folders that stand side by side only one imports from the other."""

    def folder(name: str) -> str:
        return name if any(inside(other, name) and other != name for other in NAMES) else name.rpartition(".")[0]

    needs = {(folder(name_of(path)), folder(name)) for path in PACKAGE for name in imports(path) if name in NAMES}
    apart = {(one, other) for one, other in needs if not inside(one, other) and not inside(other, one)}
    assert len(apart) > 100 and not [(one, other) for one, other in sorted(apart) if (other, one) in apart]


# Size ---------------------------------------------------------------------------------------------------------------


def test_no_module_or_component_is_longer_than_400_lines() -> None:
    """What grows beyond that has two subjects; `parts` of `define` joins the files of one component."""
    folders = ["attnviz", "pages", "training"]
    files = [ROOT / "app.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.[pj][ys]"))]
    assert {".py", ".js"} == {path.suffix for path in files} and len(files) > 150
    lines = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in files}
    assert not {path: count for path, count in lines.items() if count > 400}


def test_no_folder_holds_more_than_about_a_dozen_modules() -> None:
    """A component's .py, .js and .css go by one name; what grows beyond that wants folders of its own."""
    folders: dict[Path, set[str]] = {}
    for path in (path for path in (ROOT / "attnviz").rglob("*") if path.suffix in {".py", ".js"}):
        folders.setdefault(path.parent.relative_to(ROOT), set()).add(path.stem)
    sizes = {folder.as_posix(): len(names - {"__init__"}) for folder, names in folders.items()}
    assert len(sizes) > 40 and not {folder: count for folder, count in sizes.items() if count > 14}


# Requirements -------------------------------------------------------------------------------------------------------


def pins(file: str) -> Iterator[tuple[str, str, str]]:
    """Each requirement of a file: its line, its name, and the comment right above it."""
    comment = ""
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment += line
            continue
        if line and not line.startswith("-r "):
            yield line, re.split(r"[=<>!~\[ ]", line)[0], comment
        comment = ""


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "requirements-deploy.txt"])
def test_every_requirement_is_pinned_and_says_why(file: str) -> None:
    found = list(pins(file))
    assert found
    for line, _, comment in found:
        assert re.fullmatch(r"[A-Za-z0-9-]+(\[[a-z]+\])?==[0-9.]+", line), line
        assert len(comment.split()) > 3, f"{line} has no reason above it"


def test_everything_imported_is_required() -> None:
    # Packages whose module goes by another name than theirs.
    other_names = {"huggingface_hub": "huggingface-hub", "prometheus_client": "prometheus-client"}
    other_names |= {"PIL": "pillow", "resvg_py": "resvg-py"}
    other_names |= {"triton": "torch"}  # comes with PyTorch for CUDA; who has another PyTorch does without
    required = {name for _, name, _ in pins("requirements.txt")}
    # What only those need who ask for it, as `attnviz[cluster]`, is an extra of the package.
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    required |= {re.split(r"[=\[]", pin)[0] for pinned in extras.values() for pin in pinned}
    outside = {name.split(".")[0] for path in [*SCREENS, *PACKAGE] if path.exists() for name in imports(path)}
    outside -= {"attnviz", "pages", *sys.stdlib_module_names}
    assert {other_names.get(name, name) for name in outside} <= required


# Installing and shipping --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from what a source distribution holds, as a package index does it."""
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because building writes into the folder it builds from.
    source = folder / "source"
    for name in ("attnviz", "pages", ".streamlit"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "setup.py", "MANIFEST.in", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools import build_meta; build_meta.build_sdist('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=300)
    # Without isolation it takes the setuptools that torch brought: nothing is downloaded.
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    archive = next(folder.glob("attnviz-*.tar.gz"))
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(archive)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(folder.glob("attnviz-*.whl"))


def test_the_installed_package_has_its_data(wheel_file: Path) -> None:
    package = [path for path in (ROOT / "attnviz").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {path.relative_to(ROOT).as_posix() for path in package}
    screens = {path.relative_to(ROOT).as_posix() for path in SCREENS}
    wanted |= {f"attnviz/app/{name}" for name in [*screens, ".streamlit/config.toml"]}
    with zipfile.ZipFile(wheel_file) as wheel:
        held = set(wheel.namelist())
        metadata = wheel.read(next(name for name in held if name.endswith("/METADATA"))).decode()
    assert wanted <= held
    assert not {name for name in held if name.split("/")[0] in {"tests", "pages", "training", "benchmarks"}}
    assert "attnviz/app/setup.py" not in held
    for line, name, _ in pins("requirements.txt"):
        assert f"Requires-Dist: {line}" in metadata, name


def test_the_app_opens_where_it_is_installed(wheel_file: Path, tmp_path: Path, page: Page) -> None:
    """Away from the clone, as `pip install attnviz` and `attnviz serve` do it, at a page of its own address."""
    with zipfile.ZipFile(wheel_file) as wheel:
        wheel.extractall(tmp_path / "installed")
    with serving(tmp_path, installed=tmp_path / "installed") as url:
        page.goto(f"{url}/overview")
        page.locator(".attnviz-ready").wait_for(state="attached")
        assert page.locator(".st-key-figures").is_visible()


def copied_into_the_image() -> list[str]:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.split()[1:] for line in dockerfile.splitlines() if line.startswith("COPY ")]
    return [part for line in lines for part in line[:-1] if not part.startswith("--")]


def as_expression(pattern: str) -> str:
    """A line of .dockerignore as a regular expression: * stays within a name, **/ is any number of folders."""
    special = {"**/": "(.*/)?", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*|\?|\[[^]]*\])", pattern)
    return "".join(special.get(part, part if part.startswith("[") else re.escape(part)) for part in parts)


def left_out_of_the_image(path: str) -> bool:
    """What .dockerignore says of a path: the last line that names it or a folder above it decides."""
    parts = path.split("/")
    ways = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    left_out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        expression = as_expression(line.strip().removeprefix("!").strip("/"))
        if expression and not line.startswith("#") and any(re.fullmatch(expression, way) for way in ways):
            left_out = not line.startswith("!")
    return left_out


def test_the_image_gets_everything_it_copies() -> None:
    copied = copied_into_the_image()
    assert {"requirements.txt", "app.py", "pages", "attnviz", ".streamlit"} <= set(copied)
    for path in copied:
        assert not left_out_of_the_image(path), path
    for path in [*PACKAGE, *SCREENS, ROOT / ".streamlit" / "config.toml"]:
        assert not left_out_of_the_image(path.relative_to(ROOT).as_posix()), path


@pytest.mark.parametrize(
    "path",
    [".git/config", ".venv/bin/python", "attnviz/__pycache__/a.pyc", ".streamlit/secrets.toml", "tests/conftest.py"],
)
def test_the_image_gets_nothing_else(path: str) -> None:
    assert left_out_of_the_image(path)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"(?<![\w./:~<-])/(?:home|Users|root|work|workspace|mnt|srv)/\w")
    skipped = {"build", "dist", "scratch", "checkpoints"}
    kept_hidden = {".ci", ".streamlit", ".gitignore", ".dockerignore"}
    found = []
    for top in ROOT.iterdir():
        if top.name in skipped or (top.name.startswith(".") and top.name not in kept_hidden):
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                text = path.read_bytes()
                if b"\0" not in text[:8192]:
                    found += [f"{path}: {hit}" for hit in place.findall(text.decode("utf-8", "replace"))]
    assert found == []


# What the README promises -------------------------------------------------------------------------------------------


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    return set(phony[1].split())


def test_readme_names_only_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```.*?^```|`[^`]+`", readme, re.MULTILINE | re.DOTALL))
    named = set(re.findall(r"\bmake\s+([a-z]+)\b", code))
    assert {"run", "test"} <= named
    assert named <= make_targets()


def test_make_alone_lists_every_target() -> None:
    result = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([a-z]+) +", result.stdout, re.MULTILINE)) == make_targets()


TRANSLATED_READMES = [f"README.{web_name(language)}.md" for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("document", TRANSLATED_READMES)
def test_each_language_has_a_readme_with_commands_of_the_english_one(document: str) -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    text = (ROOT / document).read_text(encoding="utf-8")
    assert f"]({document})" in english.split("\n\n")[1], "README.md does not lead there"
    commands = {line for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
                for line in block.splitlines()}  # fmt: skip
    assert {"make run"} <= commands <= set(english.splitlines())
    links = set(re.findall(r"\]\(((?!https?:)[^)#]+)\)", text))
    assert {"README.md", "LICENSE"} <= links and [link for link in links if not (ROOT / link).exists()] == []


def test_no_markers_of_unfinished_work_are_left_in_the_readme() -> None:
    assert "<!--" not in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_only_files_that_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*|\w+\.(?:py|md|txt|toml))`|\]\(((?!https?:)[^)#]+)\)", text))
    paths = {path for pair in named for path in pair if path} - {"attnviz/ui/locale/fr/LC_MESSAGES/attnviz.po"}
    # Beside the whole path of one folder the others are named from `attnviz/` on.
    missing = [path for path in paths if not any((ROOT / start / path).exists() for start in ("", "attnviz"))]
    assert len(paths) > 10 and not missing


# Settings -----------------------------------------------------------------------------------------------------------


def test_streamlit_knows_every_setting() -> None:
    from streamlit import config

    known = config.get_config_options()
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))

    def flat(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
        for key, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    found = dict(flat(settings))
    assert set(found) <= set(known)
    assert found["browser.gatherUsageStats"] is False


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2, "contrast ratio" and "relative luminance")."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_can_be_read(theme: str) -> None:
    colours = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][theme]
    for background in (colours["backgroundColor"], colours["secondaryBackgroundColor"]):
        assert contrast(colours["textColor"], background) >= 7
        assert contrast(colours["primaryColor"], background) >= 4.5
        assert contrast(colours["linkColor"], background) >= 4.5


def test_no_button_is_filled_with_the_accent() -> None:
    # White, which Streamlit writes on such buttons, reaches 2.2:1 on the dark theme's accent.
    screens = [path for path in [*SCREENS, *PACKAGE] if path.exists()]
    assert not [path.name for path in screens if re.search(r"""type=["']primary""", path.read_text(encoding="utf-8"))]


# Privacy ------------------------------------------------------------------------------------------------------------


def test_asking_for_something_outside_is_noticed(page: Page, tabs: Tabs) -> None:
    page.goto("/")
    page.evaluate("fetch('http://example.org/').catch(() => null)")
    assert tabs.outside_requests == ["http://example.org/"]
    tabs.outside_requests.clear()
