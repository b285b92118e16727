"""Fetching from and publishing on the Hub, with a Hub that is a folder. Nothing reaches the network."""

import types

import huggingface_hub
import pytest

from keras_gca.errors import UserError
from keras_gca.sharing import consent, hub
from tests.factories.hub import FakeApi


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A Hub with the agent owner/bot and the model owner/other, neither of which is downloaded yet."""
    calls, kept = [], tmp_path / "cache"
    files = {"owner/bot": {"bot.h5": 3_000_000, "x.keras": 9_000_000}, "owner/other": {"config.json": 1000}}

    def snapshot_download(name, local_files_only=False, allow_patterns=None):
        calls.append(("local",) if local_files_only else ("fetched", *allow_patterns))
        folder = kept / name
        if local_files_only and not folder.exists():
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        if not local_files_only:
            folder.mkdir(parents=True)
            for file in files[name].keys() & set(allow_patterns):
                (folder / file).write_text("")
        return str(folder)

    def model_info(self, name, files_metadata, timeout):
        calls.append(("asked",))
        if name not in files:
            raise OSError("no such model")
        siblings = [types.SimpleNamespace(rfilename=file, size=size) for file, size in files[name].items()]
        return types.SimpleNamespace(siblings=siblings, card_data={"license": "mit"})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.chdir(tmp_path)
    return kept, calls


def test_a_bot_of_the_hub_is_fetched_after_agreement_and_then_kept(fake, capsys):
    kept, calls = fake
    with pytest.raises(UserError, match="nothing was fetched, because the input is not a terminal; use --yes to agree"):
        hub.bot_of("owner/bot")
    assert calls == [("local",), ("asked",)]
    assert capsys.readouterr().out.startswith("owner/bot: 3 MB, mit, from the Hugging Face Hub, into /")
    assert hub.bot_of("owner/bot", agreed=True) == kept / "owner" / "bot" / "bot.h5"
    assert calls[-1] == ("fetched", "bot.h5")
    calls.clear()
    assert hub.bot_of("owner/bot") == kept / "owner" / "bot" / "bot.h5"
    assert calls == [("local",)]


def test_what_is_not_an_agent_on_the_hub(fake):
    with pytest.raises(UserError, match=r"owner/other: this model on the Hugging Face Hub has no bot\.h5"):
        hub.bot_of("owner/other", agreed=True)
    with pytest.raises(
        UserError,
        match=r"^owner/none: there is no such folder, and the model is not available on the Hub \(no such model",
    ):
        hub.bot_of("owner/none", agreed=True)


@pytest.mark.parametrize("path", ["bot.h5", "owner/bot.h5", "runs/typo", "a/b/c", "/tmp/x", "../x", "name", "a b/c"])
def test_a_path_is_not_looked_up_on_the_hub(fake, path, tmp_path):
    (tmp_path / "runs").mkdir()
    assert str(hub.bot_of(path)) == path
    assert fake[1] == []


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out" / "saved_model").mkdir(parents=True)
    (tmp_path / "out" / "README.md").write_text("card")
    (tmp_path / "out" / "saved_model" / "model.pb").write_bytes(b"x" * 2_400_000)
    return tmp_path / "out"


@pytest.mark.parametrize(("private", "seen"), [(True, "private"), (False, "public")])
def test_a_folder_is_published_after_agreement(folder, private, seen, capsys):
    api = FakeApi()
    with pytest.raises(
        UserError, match="nothing was published, because the input is not a terminal; use --yes to agree"
    ):
        hub.push(folder, "me/bot", private, agreed=False, api=api)
    assert api.calls == []
    expected = f"me/bot: 2 files, 2 MB, {seen} if the model is new, to the Hugging Face Hub\n"
    assert capsys.readouterr().out == expected
    assert hub.push(folder, "me/bot", private, agreed=True, api=api) == "https://hub.invalid/me/bot"
    made, uploaded = api.calls
    assert made == ("me/bot", {"private": private, "exist_ok": True})
    assert (uploaded["repo_id"], uploaded["folder_path"]) == ("me/bot", str(folder))


@pytest.mark.parametrize(("typed", "published"), [("y", True), ("n", False), ("", False)])
def test_the_terminal_is_asked(folder, monkeypatch, typed, published):
    monkeypatch.setattr(consent.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    api = FakeApi()
    if published:
        hub.push(folder, "me/bot", False, agreed=False, api=api)
    else:
        with pytest.raises(UserError, match=r"^nothing was published$"):
            hub.push(folder, "me/bot", False, agreed=False, api=api)
    assert len(api.calls) == 2 * published


def test_what_cannot_be_published(folder):
    error = huggingface_hub.errors.LocalTokenNotFoundError("Token is required, but no token found.\nmore")
    with pytest.raises(
        UserError, match=r"^me/bot: the agent could not be published \(Token is required, .* contains its files$"
    ) as e:
        hub.push(folder, "me/bot", False, agreed=True, api=FakeApi(error))
    assert "\n" not in str(e.value)
    for name in ("bot", "a/b/c", "me/bot.h5", "me/"):
        with pytest.raises(UserError, match="not a name on the Hub; use the form OWNER/NAME"):
            hub.push(folder, name, False, agreed=True, api=FakeApi())
