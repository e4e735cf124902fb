"""Which models the app offers, how each is called on the screen, and how a name with a revision is read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from attnviz.serving.offered import may_choose_freely, offered_names
from attnviz.ui.shell.messages import BUNDLED, _, language_name, local_number
from attnviz.ui.shell.messages import model_label as known_label

__all__ = ["BUNDLED", "choice_label", "model_and_revision", "model_label", "offered_models"]


@dataclass(frozen=True)
class OfferedModel:
    """A model of the Hugging Face Hub that is worth a first look.

    Attributes:
        name: its id.
        title: what people call it.
        use: "gaps", "text", "tasks" or "translation".
        languages: codes of those that it knows; of a translation the source and the target. Empty: many.
        megabytes: what is downloaded, as the Hub had it when the list was made.
        licence: as its page there says; empty where it says none.
    """

    name: str
    title: str
    use: str
    languages: tuple[str, ...]
    megabytes: int
    licence: str

    @property
    def label(self) -> str:
        """The model with what it is good for, its size and its licence, in a line."""
        names = [language_name(code) for code in self.languages]
        use = {
            "gaps": _("fills gaps"),
            "text": _("writes on"),
            "tasks": _("several tasks"),
            "translation": _("translates"),
        }[self.use]
        languages = _("many languages")
        if names:
            languages = " → ".join(names) if self.use == "translation" else _(", ").join(names)
        size = f"{self.megabytes} MB" if self.megabytes < 1000 else f"{local_number(f'{self.megabytes / 1000:.1f}')} GB"
        return " · ".join([self.title, f"{use}: {languages}", size, self.licence or _("no licence named")])


OFFERED = (
    OfferedModel("google-bert/bert-base-uncased", "BERT base", "gaps", ("en",), 440, "Apache 2.0"),
    OfferedModel("google-bert/bert-base-german-cased", "BERT base", "gaps", ("de",), 439, "MIT"),
    OfferedModel("GroNLP/bert-base-dutch-cased", "BERTje", "gaps", ("nl",), 436, ""),
    OfferedModel("google-bert/bert-base-chinese", "BERT base", "gaps", ("zh",), 412, "Apache 2.0"),
    OfferedModel("google-bert/bert-base-multilingual-cased", "BERT base", "gaps", (), 714, "Apache 2.0"),
    OfferedModel("openai-community/gpt2", "GPT-2", "text", ("en",), 548, "MIT"),
    OfferedModel("Qwen/Qwen3-0.6B", "Qwen3 0.6B", "text", (), 1503, "Apache 2.0"),
    OfferedModel("Helsinki-NLP/opus-mt-de-en", "OPUS-MT", "translation", ("de", "en"), 298, "Apache 2.0"),
    OfferedModel("Helsinki-NLP/opus-mt-nl-en", "OPUS-MT", "translation", ("nl", "en"), 316, "Apache 2.0"),
    OfferedModel("Helsinki-NLP/opus-mt-zh-en", "OPUS-MT", "translation", ("zh", "en"), 312, "CC BY 4.0"),
    OfferedModel("google-t5/t5-small", "T5 small", "tasks", ("en", "de", "fr"), 242, "Apache 2.0"),
)


def offered_models() -> tuple[str, ...]:
    """The models that are offered: those of the server's list, and where any may be chosen those that are known.

    Where nothing may be downloaded, the list alone.
    """
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode() or not may_choose_freely():
        return offered_names()
    return (*offered_names(), *(model.name for model in OFFERED))


def model_label(name: str) -> str:
    """What a model is called on the screen: a folder by its last part."""
    if name == BUNDLED or name in offered_names() or not may_choose_freely():
        return known_label(name)
    path = os.path.expanduser(name)
    is_folder = os.path.isdir(path)
    return os.path.basename(os.path.normpath(path)) if is_folder else known_label(name)


def choice_label(name: str, others: tuple[str, ...]) -> str:
    """A model in the list to choose from, told from the others: of two folders with one name the whole path."""
    offered = next((model for model in OFFERED if model.name == name), None)
    if offered:
        return offered.label
    label = model_label(name)
    return name if any(other != name and model_label(other) == label for other in others) else label


def model_and_revision(name: str) -> tuple[str, str | None]:
    """The parts of what the model's box holds; a folder with an "@" in its name is a folder.

    >>> model_and_revision("google-t5/t5-small@df1b051")
    ('google-t5/t5-small', 'df1b051')
    """
    parts = re.fullmatch(r"([\w.-]+(?:/[\w.-]+)?)@([\w./-]+)", name)
    if parts is None or (may_choose_freely() and os.path.exists(os.path.expanduser(name))):
        return name, None
    return parts[1], parts[2]
