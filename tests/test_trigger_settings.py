from __future__ import annotations

import stat
from pathlib import Path

import pytest

from amr.errors import SettingsError
from amr.trigger_settings import TriggerSettings, load, load_one, remove, save

FULL = TriggerSettings(
    "main",
    "redis+tls://:$REDIS_PASSWORD@$REDIS_HOST:6379#inputs",
    functions="functions",
    processes=2,
    concurrency=50,
    lease_s=7.5,
    grace_s=60.0,
)
ENVIRON = {"REDIS_PASSWORD": "s3cret", "REDIS_HOST": "h"}


def test_a_saved_trigger_is_loaded_as_it_was(tmp_path: Path) -> None:
    saved = save(FULL, tmp_path, ENVIRON)
    assert saved.created
    assert saved.variables == ("REDIS_PASSWORD", "REDIS_HOST")
    assert saved.unset == ()
    assert load(tmp_path) == {"main": FULL}
    assert load_one("main", tmp_path) == FULL


def test_saving_again_updates_and_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "amr.toml"
    file.write_text(
        "# ours\n[trigger.main]\nsource_uri = 'redis://old'\nprocesses = 9\n\n"
        "# theirs\n[trigger.other]\nsource_uri = 'redis://other'  # stays\n"
    )
    saved = save(TriggerSettings("main", "redis://new"), tmp_path, {})
    assert not saved.created
    assert file.read_text() == (
        '# ours\n[trigger.main]\nsource_uri = "redis://new"\n\n'
        "# theirs\n[trigger.other]\nsource_uri = 'redis://other'  # stays\n"
    )


def test_a_removed_trigger_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    save(FULL, tmp_path, ENVIRON)
    save(TriggerSettings("other", "redis://h"), tmp_path, {})
    remove("main", tmp_path)
    assert list(load(tmp_path)) == ["other"]
    remove("other", tmp_path)
    assert load(tmp_path) == {}


@pytest.mark.parametrize(
    ("environ", "variable", "unset"),
    [
        ({"REDIS_PASSWORD": "s3cret/@"}, "REDIS_PASSWORD", ()),
        ({"MY_PW": "s3cret/@"}, "MY_PW", ()),
        ({"A_PW": "s3cret/@", "REDIS_PASSWORD": "s3cret/@"}, "REDIS_PASSWORD", ()),
        ({}, "REDIS_PASSWORD", ("REDIS_PASSWORD",)),
        ({"REDIS_PASSWORD": "another"}, "REDIS_PASSWORD", ("REDIS_PASSWORD",)),
    ],
)
@pytest.mark.parametrize("written", ["s3cret/@", "s3cret%2F%40"])
def test_a_password_in_clear_is_stored_as_the_variable_that_holds_it(
    written: str, environ: dict[str, str], variable: str, unset: tuple[str, ...], tmp_path: Path
) -> None:
    saved = save(TriggerSettings("t", f"redis://me:{written}@h#s"), tmp_path, environ)
    assert saved.settings.source_uri == f"redis://me:${variable}@h#s"
    assert saved.unset == unset
    assert "s3cret" not in (tmp_path / "amr.toml").read_text()
    assert load_one("t", tmp_path) == saved.settings


def test_a_password_file_counts_as_a_set_variable(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    uri = "redis://:$REDIS_PASSWORD@h"
    saved = save(TriggerSettings("t", uri), tmp_path, {"REDIS_PASSWORD_FILE": str(secret)})
    assert saved.unset == ()


@pytest.mark.parametrize("uri", ["redis//:s3cret@h", "$BASE:s3cret@h", "redis://:s3cret@h:x"])
def test_a_url_that_is_not_understood_is_not_stored(uri: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        save(TriggerSettings("t", uri), tmp_path, {"BASE": "redis://"})
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "amr.toml").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[trigger.t\n", "line 1"),
        (
            "[triger.t]\n",
            "unknown table 'triger'; tables are [trigger.NAME]; did you mean \"trigger\"?",
        ),
        ("trigger = 3", "a trigger is a table"),
        ("[trigger.t]\n", "source_uri is missing"),
        ("[trigger.t]\nsource_uri = 3", "source_uri must be text"),
        ("[trigger.t]\nsource_uri = 'x'\nproceses = 3", 'did you mean "processes"?'),
        ("[trigger.t]\nsource_uri = 'x'\nprocesses = 0", "processes must be a whole number"),
        ("[trigger.t]\nsource_uri = 'x'\nconcurrency = true", "concurrency must be a whole number"),
        ("[trigger.t]\nsource_uri = 'x'\nlease = 'soon'", "lease must be a duration"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "amr.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"^amr\.toml: ") as caught:
        load(tmp_path)
    assert complaint in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "amr.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(tmp_path)


def test_an_unknown_trigger_is_named_with_the_nearest(tmp_path: Path) -> None:
    save(FULL, tmp_path, ENVIRON)
    with pytest.raises(
        SettingsError, match=r"no trigger 'mian'; there are main; did you mean \"main\""
    ):
        load_one("mian", tmp_path)
    with pytest.raises(SettingsError, match="no trigger 'mian'"):
        remove("mian", tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a\n", "x" * 101, "]"])
def test_a_name_that_toml_would_misread_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot name a trigger"):
        save(TriggerSettings(name, "redis://h"), tmp_path, {})


def test_a_file_in_another_form_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "amr.toml"
    text = 'trigger = {main = {source_uri = "redis://h"}}\n'
    file.write_text(text)
    with pytest.raises(SettingsError, match="edit it by hand"):
        save(TriggerSettings("main", "redis://new"), tmp_path, {})
    with pytest.raises(SettingsError, match="edit it by hand"):
        remove("main", tmp_path)
    assert file.read_text() == text


def test_saving_keeps_the_files_mode_and_leaves_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "amr.toml"
    save(TriggerSettings("t", "redis://h"), tmp_path, {})
    file.chmod(0o600)
    save(TriggerSettings("t", "redis://other"), tmp_path, {})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(TriggerSettings("t", "redis://h"), tmp_path, {})

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(SettingsError, match="cannot be written: No space left"):
        save(TriggerSettings("t", "redis://other"), tmp_path, {})
    assert load_one("t", tmp_path).source_uri == "redis://h"
    assert [file.name for file in tmp_path.iterdir()] == ["amr.toml"]
