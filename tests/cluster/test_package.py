"""What a job brings to the cluster, and what stays at home."""

from pathlib import Path

import pytest

from raymed.cluster.package import CODE, CODE_SUFFIXES, named_paths, pack
from raymed.config import Experiment, parse_experiment, read_experiment
from raymed.errors import InputError

LIMIT = 20_000_000
CONTENT = {
    "name": "scans",
    "data": {"source": "scans", "patients": {"column": "p", "file": "patients.csv"}},
    "recipes": {
        "cnn": {"model": "test_resnet", "pretrained": {"file": "~/w.pth"}},
        "small": {"model": "test_resnet", "pretrained": "none", "size": 32},
    },
    "evaluate": {"subgroups": ["sex", {"column": "age", "file": "ages.csv", "bands": [40]}]},
}


def experiment(folder: Path, *overrides: str) -> Experiment:
    return parse_experiment(CONTENT, folder, "scans.yaml", overrides)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def plant(code: Path, *files: str) -> None:
    for name in files:
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("hello")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A small raymed in a checkout, with what checkouts collect."""
    code = tmp_path / "checkout" / "raymed"
    plant(code, "__init__.py", "report/page.html.j2", "report/lists.yaml", "data/folds.py")
    plant(code.parent, "pyproject.toml")
    return code


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    return folder


def test_a_package_without_an_experiment_is_the_code_alone(code: Path, empty: Path) -> None:
    package = pack(None, empty, LIMIT, code)

    assert package.files == len(names(empty)) == 5
    assert "raymed/__init__.py" in names(empty)


def test_a_package_is_code_project_and_configuration(code: Path, empty: Path) -> None:
    package = pack(experiment(code), empty, LIMIT, code)

    assert names(empty) == {
        "raymed/__init__.py",
        "raymed/report/page.html.j2",
        "raymed/report/lists.yaml",
        "raymed/data/folds.py",
        "pyproject.toml",
        "scans.yaml",
    }
    assert package.files == 6
    assert package.size == sum(path.stat().st_size for path in empty.rglob("*") if path.is_file())


def test_git_secrets_data_runs_and_caches_stay_at_home(code: Path, empty: Path) -> None:
    pack(experiment(code), empty, LIMIT, code)
    before = names(empty)
    plant(code, ".git/config.yaml", ".env", "key.pem", "auth_token", "id_rsa", ".secret.yaml")
    plant(code, "data/scan.png", "runs/oof.arrow", "weights.safetensors", "data/patients.csv")
    plant(code, "__pycache__/folds.py", ".cache/notes.py")
    plant(
        code.parent,
        ".git/HEAD",
        ".env",
        "runs/demo/experiment.yaml",
        "scans/p1.png",
        "patients.csv",
    )

    again = empty.with_name("again")
    again.mkdir()
    pack(experiment(code.parent), again, LIMIT, code)

    assert names(again) == before


def test_all_that_raymed_is_made_of_goes_along(tmp_path: Path, empty: Path) -> None:
    pack(experiment(tmp_path), empty, LIMIT)

    ours = {name for name in names(CODE) if "__pycache__" not in name}
    assert {Path(name).suffix for name in ours} == set(CODE_SUFFIXES)
    assert ours == names(empty / "raymed")


def test_the_packed_configuration_reads_as_the_same_experiment_elsewhere(
    code: Path, empty: Path
) -> None:
    ours = experiment(code, "seed=7", "recipes.small.batch_size=8")

    pack(ours, empty, LIMIT, code)

    assert read_experiment(empty / "scans.yaml") == ours


def test_every_named_path_is_absolute_and_told(tmp_path: Path) -> None:
    found = dict(named_paths(experiment(tmp_path, "cluster.cache=cache")))

    assert found == {
        "data.source": tmp_path / "scans",
        "data.patients.file": tmp_path / "patients.csv",
        "recipes.cnn.pretrained.file": Path.home() / "w.pth",
        "evaluate.subgroups[1].file": tmp_path / "ages.csv",
        "cluster.cache": tmp_path / "cache",
    }


def test_a_url_stays_as_it_is(code: Path, empty: Path) -> None:
    ours = experiment(code, "data.source=s3://bucket/scans")

    pack(ours, empty, LIMIT, code)

    assert read_experiment(empty / "scans.yaml").data.source == "s3://bucket/scans"
    assert "data.source" not in dict(named_paths(ours))


def test_a_package_over_the_limit_names_its_largest_file(code: Path, empty: Path) -> None:
    (code / "table.py").write_bytes(b"#" * 3000)

    with pytest.raises(InputError, match=r"over the limit of 2.0 kB.*table\.py \(3.0 kB\)"):
        pack(experiment(code), empty, 2000, code)

    assert names(empty) == set()


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("search.storage=postgresql://me:hush@host/db", "holds a password"),
        ("search.storage=mysql://host/db?passwd=hush", "holds a password"),
        ("search.mlflow=http://me:hush@host", "holds a password"),
        ("search.storage=sqlite:///study.db", "is a relative path"),
    ],
)
def test_a_database_that_a_package_may_not_name(
    code: Path, empty: Path, override: str, fault: str
) -> None:
    with pytest.raises(InputError, match=fault) as refused:
        pack(experiment(code, override), empty, LIMIT, code)

    assert "hush" not in str(refused.value)
    assert names(empty) == set()


def test_a_database_without_secrets_is_packed(code: Path, empty: Path) -> None:
    for url in ("postgresql://host/db", "sqlite:////shared/study.db"):
        pack(experiment(code, f"search.storage={url}"), empty, LIMIT, code)
