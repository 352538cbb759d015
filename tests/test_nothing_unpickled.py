"""No code of raymed opens a pickle, runs text, or reads YAML in a way that does.

What is left out, and why:

- `raymed/cluster/mailbox.py` packs what our own processes of one build say to each other, and Ray
  pickles what it sends between them: whoever may connect to that Ray runs any code anyway, and the
  token keeps others out.
- `torch.load(.., weights_only=True)` unpickles tensors and plain containers alone.
- timm fetches its own weights, with `weights_only=True` too.
- Optuna pickles the state of its CMA-ES sampler into the storage; `search/evolution.py` is there so
  that nothing does.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "raymed"
OWN_PROCESSES = PACKAGE / "cluster" / "mailbox.py"
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec",
    "pandas.read_pickle", "pandas.read_hdf", "pandas.eval",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all",
    "yaml.full_load_all", "torch.jit.load", "torch.package.PackageImporter", "torch.export.load",
    "torch.hub.load", "torch.hub.load_state_dict_from_url", "numpy.fromregex",
    "subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen",
}  # fmt: skip
TABLES = {
    "pandas.read_parquet", "pandas.read_feather", "pandas.read_orc",
    "pyarrow.parquet.ParquetFile", "pyarrow.parquet.read_table", "pyarrow.parquet.read_pandas",
    "pyarrow.parquet.ParquetDataset", "pyarrow.dataset.dataset", "pyarrow.feather.read_table",
    "pyarrow.ipc.open_file", "pyarrow.ipc.open_stream", "pyarrow.RecordBatchFileReader",
}  # fmt: skip
"""Only `raymed/tables.py` opens tables: it refuses columns that Arrow hands to pickle."""


def _names(tree: ast.AST) -> dict[str, str]:
    """What each name of a file stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                found[each.asname or each.name.split(".")[0]] = (
                    each.name if each.asname else each.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def _given(call: ast.Call, name: str) -> object:
    found = [each.value for each in call.keywords if each.arg == name]
    return found[0].value if found and isinstance(found[0], ast.Constant) else None


def faults_of(source: str, *, may_open_tables: bool = False) -> Iterator[str]:
    """Everything in a file's text that would open a pickle or run text."""
    tree = ast.parse(source)
    names = _names(tree)
    yield from (name for name in names.values() if name.split(".")[0] in MODULES or name in CALLS)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func, names)
        if called in CALLS or (called in TABLES and not may_open_tables):
            yield called
        if called == "torch.load" and _given(node, "weights_only") is not True:
            yield "torch.load without weights_only=True"
        if called in ("numpy.load", "numpy.lib.format.read_array", "numpy.memmap.load"):
            if _given(node, "allow_pickle") is not False:
                yield f"{called} without allow_pickle=False"
        elif _given(node, "allow_pickle"):
            yield f"{called} with allow_pickle=True"
        if _given(node, "shell") is True:
            yield f"{called} with shell=True"
        if called == "yaml.load" and not _is_safe(node, tree, names):
            yield "yaml.load without a safe loader"


def _is_safe(call: ast.Call, tree: ast.AST, names: dict[str, str]) -> bool:
    """Whether the loader is a class of this file that comes from the safe one alone."""
    given = [each.value for each in call.keywords if each.arg == "Loader"]
    wanted = given[0].id if given and isinstance(given[0], ast.Name) else None
    bases = [
        [_dotted(base, names) for base in node.bases]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == wanted
    ]
    return bases == [["yaml.SafeLoader"]]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != OWN_PROCESSES]


def test_no_file_opens_a_pickle_or_runs_text() -> None:
    found = {
        str(path.relative_to(PACKAGE)): faults
        for path in FILES
        if (faults := [*faults_of(path.read_text(), may_open_tables=path.name == "tables.py")])
    }

    assert found == {}


def test_the_exception_is_the_only_one_and_still_needed() -> None:
    assert [*faults_of(OWN_PROCESSES.read_text())] == ["pickle"]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads as read",
        "from joblib import load",
        "def f(): import cloudpickle as c",
        "eval('1')",
        "exec('1')",
        "from os import system",
        "import os\nos.system('ls')",
        "import subprocess as s\ns.run('ls', shell=True)",
        "import torch\ntorch.load('a')",
        "import torch\ntorch.load('a', weights_only=False)",
        "from torch import load as read\nread('a')",
        "import numpy as np\nnp.load('a')",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "from numpy import load\nload('a', allow_pickle=1 == 1)",
        "import pandas as pd\npd.read_pickle('a')",
        "import pandas as pd\npd.read_parquet('a')",
        "import pyarrow.parquet as pq\npq.ParquetFile('a')",
        "import pyarrow as pa\npa.ipc.open_file('a')",
        "import yaml\nyaml.load('a', Loader=yaml.Loader)",
        "import yaml\nyaml.load('a', yaml.SafeLoader)",
        "import yaml\nclass A(yaml.Loader): pass\nyaml.load('a', Loader=A)",
        "import yaml\nyaml.unsafe_load('a')",
    ],
)
def test_what_would_is_noticed(source: str) -> None:
    assert [*faults_of(source)]


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import re\nre.compile('a')",
        "import numpy as np\nnp.load('a', allow_pickle=False)",
        "import torch\ntorch.load('a', weights_only=True)",
        "import yaml\nclass A(yaml.SafeLoader): pass\nyaml.load('a', Loader=A)",
    ],
)
def test_what_would_not_is_left_alone(source: str) -> None:
    assert [*faults_of(source)] == []
