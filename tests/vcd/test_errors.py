"""Error messages name the file, the problem and the remedy, on one line."""

import os

import pytest

from vcd import errors


def test_message_has_file_problem_and_remedy():
    error = errors.MediaError("is empty", file="a.mp4", remedy="copy it again")
    assert str(error) == "a.mp4: is empty (copy it again)"


def test_message_without_file_or_remedy():
    assert str(errors.VcdError("went wrong")) == "went wrong"


@pytest.mark.parametrize("name", ["new\nline.mp4", "tab\t.mp4", b"caf\xe9.mp4", "bell\x07"])
def test_message_is_one_printable_line(name):
    text = str(errors.MediaError("a\nb", file=name))
    assert text.isprintable()


def test_display_name_keeps_letters_of_any_script():
    assert errors.display_name("視頻 🎬.mp4") == "視頻 🎬.mp4"


def test_display_name_shows_bytes_that_are_no_text():
    assert errors.display_name(os.fsdecode(b"caf\xe9.mp4")) == r"caf\xe9.mp4"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.MediaNotFoundError, FileNotFoundError),
        (errors.ContractError, ValueError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_errors_can_be_caught_as_pythons_own(error, builtin):
    with pytest.raises(builtin, match="no such"):
        raise error("no such thing")
    assert issubclass(error, errors.VcdError)


def test_tree_in_the_docstring_names_every_error():
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.VcdError)
    }
    assert {name for name in classes if name in errors.__doc__} == classes
