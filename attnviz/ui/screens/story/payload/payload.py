"""All numbers of the story of one sentence: what the picture draws from the first token to the last written word.

    model, sentence ─ recording ─┬─ tokens and their vectors            scenes 1 and 2
                                 ├─ one head, with all its numbers      3 to 6
                                 ├─ the heads beside it, the block      7 and 8
                                 ├─ the way through the layers          9
                                 └─ what is written                     10

Nothing in it depends on the reader's language: `wording.py` adds the texts. So it can be computed before anybody comes,
as `openings.py` does for the sentences that the app opens with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.computation.layer import follow
from attnviz.errors import EmptyError, NoAttentionError
from attnviz.measures.findings import head_findings
from attnviz.measures.telling_heads import asking_token, telling_head
from attnviz.tokenization.language import guess_language
from attnviz.tokenization.token import is_word, labels
from attnviz.ui.components.component import encode
from attnviz.ui.screens.story.payload.block import block_stages
from attnviz.ui.screens.story.payload.head import head_numbers
from attnviz.ui.screens.story.payload.journey import journey
from attnviz.ui.screens.story.payload.vectors import first_vectors
from attnviz.ui.screens.story.payload.writing import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnviz.computation.layer import Computation
    from attnviz.measures.findings import Finding
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

MOST_TOKENS = 40
"""More can be neither drawn nor read; of a longer text the story shows the beginning."""

FAMILIES = {("encoder", "decoder", "cross"): "encoder-decoder", ("decoder",): "decoder", ("encoder",): "encoder"}


def story_numbers(
    model: Model,
    name: str,
    sentence: str,
    *,
    layer: int | None = None,
    head: int | None = None,
    record: Callable[[str], Recording] | None = None,
) -> dict[str, Any]:
    """The story of a sentence in numbers.

    Args:
        model: any that attention can be recorded of.
        name: of the model as it was loaded, for what was measured of its heads.
        sentence: as it was typed.
        layer, head: the head that is told of; the most telling one where either is None or there is no such head.
        record: what records a text with this model, where recordings are stored; `model.record` if None.

    Returns:
        What `wording.story_payload` completes. Arrays are packed as `packing.py` says; a part that the model does not
        have is None.

    Raises:
        EmptyError: there is no text.
        InputError, NoAttentionError: the model cannot read it, or gives nothing that could be shown.

    >>> story_numbers(attnviz.load("bundled"), "bundled", "Der Hund sah den Ball.")["head"]["name"]
    'L3 H7'
    """
    if not sentence.strip():
        raise EmptyError("There is no sentence yet. Type one: a few words are enough.")
    return _compute(model, name, sentence, layer, head, model.record if record is None else record)


def _compute(
    model: Model,
    name: str,
    sentence: str,
    layer: int | None,
    head: int | None,
    record: Callable[[str], Recording],
) -> dict[str, Any]:
    """The numbers of a sentence that there is."""
    text, left_out = beginning(record(sentence), sentence)
    recording = record(text) if left_out else record(sentence)
    kind = recording.kinds[0]
    tokens = recording.query_tokens(kind)
    layers, heads, *_ = recording.size(kind)
    if layer is None or head is None or layer >= layers or head >= heads:
        layer, head = telling_head(recording, kind, name)
    try:
        computation: Computation | None = follow(model, recording, kind, layer=layer)
    except NoAttentionError:
        computation = None  # its weights are known, and how it came to them is not
    weights = recording.weights(kind, layer=layer).cpu().numpy()  # (heads, queries, keys)
    query = asking_token(weights[head], tokens)
    number = recording.layer_number(kind, layer)
    language = guess_language(text)
    return {
        "family": FAMILIES.get(tuple(recording.kinds), kind),
        "sentence": text,
        "tokens": token_entries(tokens),
        "leftOut": left_out,
        "size": [layers, heads],
        "layerNumbers": [recording.layer_number(kind, index) for index in range(layers)],
        "vectors": first_vectors(model, recording, kind, computation),
        "head": {
            "kind": kind,
            "layer": layer,
            "head": head,
            "name": f"L{number} H{head}",
            **head_numbers(recording, kind, layer, head, computation),
        },
        "word": query,
        "heads": [
            {
                "name": f"L{number} H{index}",
                "finding": finding_entry(head_findings(name, kind, layer, index), language),
                "weights": encode(weights[index]),
            }
            for index in range(heads)
        ],
        "block": None if computation is None else block_stages(computation),
        "journey": journey(model, recording, kind, query, record),
        "writing": writing(model, name, recording),
    }


def beginning(recording: Recording, sentence: str) -> tuple[str, int]:
    """The part of a text that is drawn, and how many tokens of the text are not.

    A long text ends for the story behind its last whole word that fits. Read so it is a text of its own, whose shares
    add up to 1; rows that are cut off from a longer text would not.
    """
    tokens = recording.query_tokens(recording.kinds[0])
    if len(tokens) <= MOST_TOKENS:
        return sentence, 0
    specials = sum(token.special for token in tokens)
    typed = [token for token in tokens if token.end is not None]
    fitting = typed[: max(1, MOST_TOKENS - specials)]
    following = typed[len(fitting)].word if len(fitting) < len(typed) else None
    whole = [token for token in fitting if token.word != following] or fitting
    return sentence.strip()[: whole[-1].end], len(typed) - len(whole)


def token_entries(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """The tokens as they are drawn; `space` says whether a space stands before one in the text."""
    entries, end = [], 0
    for label, token in zip(labels(tokens), tokens, strict=True):
        # Some tokenizers count the space to the token behind it, others to none.
        space = token.text[:1].isspace() or (token.start or 0) > end
        entries.append(
            {
                "label": label,
                "id": token.id,
                "special": token.special,
                "word": is_word(token),
                "space": space and end > 0,
            }
        )
        end = end if token.end is None else token.end
    return entries


def finding_entry(findings: Sequence[Finding], language: str | None) -> dict[str, Any] | None:
    """What a head was measured to do, most to the point for a sentence in a language; None where nothing is known."""
    if not findings:
        return None

    def rank(item: Finding) -> tuple[bool, bool, float]:
        return item.language in (language, None), item.relation == "obj", item.accuracy

    best = max(findings, key=rank)
    return {
        "finding": best.finding, "relation": best.relation, "direction": best.direction, "offset": best.offset,
        "language": None if best.language == language else best.language,
    }  # fmt: skip
