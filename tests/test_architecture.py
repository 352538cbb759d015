"""The design's walls: imports point one way, and Ray lives in one folder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "raymed"

LAYERS = [
    {"errors", "stories"},
    {"files", "tables"},
    {"config"},
    {"data", "models", "optim", "losses"},
    {"training"},
    {"ensemble", "evaluation", "search"},
    {"runs"},
    {"report", "predict"},
    {"cluster"},
    {"pipeline"},
    {"cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def imports_of(tree: ast.AST) -> list[str]:
    """Every module that a file imports, also inside functions and for typing."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in RANK
)


def upward(source: str, own: str) -> list[str]:
    """The raymed imports of a file's text that do not point to the left of its room."""
    wrong = []
    for name in imports_of(ast.parse(source)):
        parts = name.split(".")
        if parts[0] != "raymed" or len(parts) < 2 or parts[1] == own:
            continue
        if parts[1] not in RANK or RANK[parts[1]] >= RANK[own]:
            wrong.append(name)
    return wrong


def test_every_file_has_a_room_in_the_design() -> None:
    rooms = {room(path) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"}

    assert rooms <= set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    assert upward(path.read_text(), room(path)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_cluster_imports_ray(path: Path) -> None:
    uses = [n for n in imports_of(ast.parse(path.read_text())) if n.split(".")[0] == "ray"]

    assert room(path) == "cluster" or uses == []


def test_an_import_to_the_right_is_noticed() -> None:
    assert upward("from raymed.runs import RunFolder", "training") == [
        "raymed.runs",
        "raymed.runs.RunFolder",
    ]
    assert upward("def f():\n    import raymed.cli", "data") == ["raymed.cli"]
    assert upward("import raymed.losses", "models") == ["raymed.losses"]


def test_tables_are_scored_and_stacked_and_studies_driven_without_torch_and_ray() -> None:
    code = "import sys; loaded = lambda: {'torch', 'ray'} & set(sys.modules); "
    code += "".join(
        f"import raymed.{room}; assert not loaded(), '{room}'; "
        for room in ("evaluation", "ensemble", "search")
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_raymed_and_its_help_load_neither_torch_nor_ray() -> None:
    code = (
        "import sys, raymed\n"
        "from typer.testing import CliRunner\n"
        "from raymed.cli import app\n"
        "assert CliRunner().invoke(app, ['build', '--help']).exit_code == 0\n"
        "sys.exit('torch' in sys.modules or 'ray' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names_are_sorted_and_all_there() -> None:
    import raymed

    assert list(raymed.__all__) == sorted(raymed.__all__)
    assert all(getattr(raymed, name) is not None for name in raymed.__all__)
