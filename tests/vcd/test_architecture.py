"""The house has one direction: no room imports a room that stands after it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the first room to the last; those of one line may know each other.
ORDER = [
    {"vcd.errors"},
    {"vcd.records", "vcd.encoding"},
    {"vcd.media"},
    {"vcd.descriptors"},
    {"vcd.similarity", "vcd.library"},
    {"vcd.localization"},
    {"vcd.detection"},
    {"vcd.report"},
    {"vcd.sources"},
    {"vcd.engine", "vcd.gallery"},
    {"vcd.collection"},
    {"vcd"},
    {"vcd.integrations"},
    {"vcd_eval"},
    {"vcd_cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
LEVEL["vcd.training"] = LEVEL["vcd.engine"]
FOLDERS = [ROOT / "vcd", ROOT / "cli" / "vcd_cli", ROOT / "eval" / "vcd_eval"]
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))


def room(module):
    parts = module.split(".")
    name = ".".join(parts[:2]) if parts[0] == "vcd" else parts[0]
    return name if name in LEVEL else "vcd"


def module_of(path):
    folder = next(f for f in FOLDERS if path.is_relative_to(f))
    parts = list(path.relative_to(folder.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Yield every module imported anywhere in a file, but for type checking only."""
    tree = ast.parse(path.read_text("utf-8"))
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_are_files_to_look_at():
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_room_imports_a_later_one(path):
    own = room(module_of(path))
    for module in imports(path):
        if module.partition(".")[0] in ("vcd", "vcd_eval", "vcd_cli"):
            other = room(module)
            if other == "vcd" and module.startswith("vcd.__"):
                continue  # the version number
            assert LEVEL[other] <= LEVEL[own], f"{module_of(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_torch_only_in_training(path):
    if room(module_of(path)) != "vcd.training":
        heavy = {m.partition(".")[0] for m in imports(path)} & {"torch", "torchaudio", "onnx"}
        assert not heavy


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_file_says_what_it_is_for(path):
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert text, f"{path} has no docstring"
    assert len(text.splitlines()[0]) <= 110


def test_onnx_folder_holds_data_only():
    assert not list((ROOT / "onnx").rglob("*.py"))


def test_every_package_is_in_the_wheel():
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {module_of(path) for path in FILES if path.name == "__init__.py"}
    assert set(listed) == there | {"vcd_models"}
