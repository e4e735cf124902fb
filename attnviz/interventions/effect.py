"""What an intervention does: both runs side by side, what the model writes, and how far apart they are.

What this module does not do: it changes nothing itself; `Model.record` does.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.attention import blockwise
from attnviz.embeddings.hidden_states import hidden_states
from attnviz.errors import Message
from attnviz.interventions.ablation import Ablate
from attnviz.interventions.masks import Hashing, Mask, TopK
from attnviz.interventions.weights import Dropout, Temperature
from attnviz.models.capture.capture import Layer
from attnviz.models.model import Model
from attnviz.models.network.generation_settings import Ending, generation_settings, logits_processors
from attnviz.models.network.network import vocabulary_size
from attnviz.models.recording.changes import ChangedRule, Intervention
from attnviz.models.recording.recorder import MAX_NEW_TOKENS
from attnviz.models.recording.recording import Recording

CONTINUED = 12
"""So many tokens a decoder writes after the text, to show what it would say."""


@dataclass(frozen=True, eq=False)
class Effect:
    """Two runs on the same tokens and what differs; each number is computed when it is first asked for.

    Attributes:
        model: what ran.
        before, after: the recordings without and with the interventions. Both read the same tokens, so that rows,
            columns and positions correspond; what the changed model would write is in `texts`.
    """

    model: Model
    before: Recording
    after: Recording

    @functools.cached_property
    def note(self) -> Message | None:
        """Why there are no texts and no `kl`, for a model without an output distribution; None where there are."""
        logits = self.before.logits
        if logits is not None and logits.shape[-1] >= vocabulary_size(self.model.network):
            return None
        return Message(
            "{0} has no language head: it predicts no words that could change, so only the distance of its vectors "
            "is known.",
            self.model.name,
        )

    @functools.cached_property
    def texts(self) -> tuple[str, str] | None:
        """What the model writes before and after, each time anew: the translation, the text that it adds, or the text
        with its gaps filled. None where it writes nothing, or nothing is to be filled."""
        if self.note is not None:
            return None
        first, second = (written_text(self.model, recording) for recording in (self.before, self.after))
        return None if first is None or second is None else (first, second)

    @functools.cached_property
    def kl(self) -> Tensor | None:
        """How much each position's prediction changed: float32 (positions,), in bits, 0 or more; None without one.

        Kullback–Leibler divergence Σ p log₂ (p / q) of the distribution p before and q after (Cover & Thomas 2006,
        "Elements of Information Theory", section 2.3).
        """
        if self.note is not None:
            return None
        assert self.before.logits is not None and self.after.logits is not None
        return divergence_in_bits(self.before.logits, self.after.logits)

    @functools.cached_property
    def distance(self) -> dict[str, Tensor]:
        """How far the hidden states moved: by stack ("encoder", "decoder"), float32 (layers + 1, tokens), 0 or more.

        The length of the difference as a share of the vector's own length before; row 0 is what enters layer 0.
        """
        result = {}
        for kind in self.before.kinds:
            if kind != "cross":
                first, second = (
                    hidden_states(self.model, recording, kind).layers for recording in (self.before, self.after)
                )
                length = first.norm(dim=-1).clamp_min(torch.finfo(first.dtype).tiny)
                result[kind] = (second - first).norm(dim=-1) / length
        return result

    @functools.cached_property
    def density(self) -> float:
        """The share of the pairs of query and key that is still computed, over all heads; heads whose output is
        replaced as a whole need none."""
        return counted_pairs(self.after) / max(1, counted_pairs(self.before))


def written_text(model: Model, recording: Recording) -> str | None:
    """What a model with a language head writes, changed as in a recording: the translation, what it adds to the text,
    or the text with its gaps filled. None where there is no gap."""
    if "cross" in recording.kinds or recording.kinds == ("decoder",):
        paired = "cross" in recording.kinds
        source = [token.id for token in recording.key_tokens("cross" if paired else "decoder")]
        limit = MAX_NEW_TOKENS if paired else CONTINUED
        ids = _text_read_again(model, recording, source) if paired else None
        if ids is None:
            ids = model.recorder.write(source, limit, recording.interventions)
        return _decode(model, ids if paired else ids[len(source) :])
    mask = getattr(model.tokenizer, "mask_token_id", None)
    tokens = recording.query_tokens(recording.kinds[0])
    assert recording.logits is not None
    if not any(token.id == mask for token in tokens):
        return None
    best = recording.logits.argmax(dim=-1).tolist()
    return _decode(model, [best[at] if token.id == mask else token.id for at, token in enumerate(tokens)])


def _text_read_again(model: Model, recording: Recording, source: Sequence[int]) -> list[int] | None:
    """What the network writes, where that is the text which its decoder read in the recording; None where it is another
    text, or where only writing can tell.

    A network that chooses the same token at each position of a text would write that text; the recording has its
    choices already.
    """
    tokens = recording.query_tokens("cross")
    if recording.logits is None or not all(token.generated for token in tokens[1:]):
        return None
    if not all(_changes_rows_alone(item) for item in recording.interventions):
        return None
    read = [token.id for token in tokens]
    config = generation_settings(model.network, model.name, model.tokenizer, read[0])
    processors = logits_processors(model.network, model.name, config, source, 1)
    written = read[:1]
    for scores in recording.logits:
        if written != read[: len(written)]:
            return None
        written.append(int(processors(torch.tensor([written]), scores[None]).argmax()))
    return written if Ending(model.network, config, model.tokenizer).is_reached(written) else None


def _changes_rows_alone(item: Intervention) -> bool:
    """Whether a position that is written comes out the same when the ones behind it are read too."""
    if item.where.kind == "encoder":
        return True
    if isinstance(item, Ablate):
        return item.to != "mean"
    return isinstance(item, Mask | TopK | Temperature | Dropout | Hashing)


def _decode(model: Model, ids: Sequence[int]) -> str:
    if model.tokenizer is None:
        return " ".join(map(str, ids))
    return model.tokenizer.decode(ids, skip_special_tokens=True).strip()


def divergence_in_bits(before: Tensor, after: Tensor) -> Tensor:
    """Σ p log₂ (p / q) of logits (…, vocabulary): (…,), 0 or more.

    >>> divergence_in_bits(torch.tensor([0.0, 0.0]), torch.tensor([0.0, -torch.inf]))
    tensor(inf)
    """
    p, q = before.float().log_softmax(dim=-1), after.float().log_softmax(dim=-1)
    terms = torch.where(p > -torch.inf, p.exp() * (p - q), 0.0)
    return (terms.sum(dim=-1) / torch.log(torch.tensor(2.0))).clamp_min(0.0)


def counted_pairs(recording: Recording, kind: str | None = None) -> int:
    """How many pairs of query and key the heads of a recording compute, of one kind or of all."""
    count = 0
    for one in recording.kinds if kind is None else (kind,):
        for layer in range(recording.size(one)[0]):
            stored = recording.stored_layer(one, layer, None)
            if not isinstance(stored, Layer):
                count += stored.numel()
                continue
            heads, queries, _ = stored.query.shape
            removed = stored.rule.removed if isinstance(stored.rule, ChangedRule) else frozenset()
            kept = [head for head in range(heads) if head not in removed]
            key = stored.key.repeat_interleave(stored.groups, dim=0)
            for rows in blockwise.blocks(queries, key.shape[1], heads):
                scores = stored.rule.scores(stored.query[:, rows], key, rows)
                count += int((scores[kept] > -torch.inf).sum())
    return count


def effect(model: Model, text: str, interventions: Sequence[Intervention], target: str | None = None) -> Effect:
    """Runs a model on a text without and with interventions.

    Args:
        model: any whose attention is captured.
        text: the sentence; for an encoder–decoder the source.
        interventions: in the order in which they act.
        target: for an encoder–decoder what its decoder reads; None for what the unchanged model writes.

    Raises:
        InputError: an intervention does not fit the model or the text.
        NoAttentionError: the model's attention cannot be changed.

    >>> model = attnviz.load("bundled")
    >>> effect(model, "Der Hund sah den Ball.", [Ablate(Heads("cross"))]).texts[0]
    'The dog saw the ball.'
    """
    before = model.record(text, target)
    return Effect(model, before, model.record_changed(before, interventions))
