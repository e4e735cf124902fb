"""`Model`: a network and its tokenizer, from text to a `Recording`.

What it is given is checked in `network/inputs.py`, its network runs in `recording/recorder.py`; loading is in
`loading/`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from attnviz.errors import InputError, Message
from attnviz.models.network.inputs import Inputs, integers
from attnviz.models.network.network import is_encoder_decoder, max_positions, run_encoder
from attnviz.models.network.wrappers import input_device, transformers_network
from attnviz.models.predictions import Prediction, predict
from attnviz.models.recording.changes import Intervention
from attnviz.models.recording.record_options import Progress, RecordOptions
from attnviz.models.recording.recorder import MAX_NEW_TOKENS, Recorder
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.tokenizer import from_ids


class Model:
    """A network and its tokenizer.

    Attributes:
        network: the transformers model, in evaluation mode.
        tokenizer: its tokenizer, or None.
        name: what it is called on the screen.
        revision: the commit of a Hub model, or None.
        inputs: what checks and encodes what the model is given; used by the modules that build on this one.
        recorder: what runs the network, one user at a time; likewise.
    """

    def __init__(
        self, network: Any, tokenizer: Any = None, *, name: str | None = None, revision: str | None = None
    ) -> None:
        """Takes a transformers model that is already in memory.

        Args:
            network: any text model of transformers, also compiled, offloaded or in DataParallel; it is put into
                evaluation mode.
            tokenizer: its tokenizer; without one, `record_ids` still works.
            name: what it is called; the class of the network where it is None.
            revision: the commit that it was loaded from.

        Raises:
            InputError: it is no model of transformers, and which part of it is one.
        """
        network = transformers_network(network)
        self.inputs = Inputs(network.eval(), tokenizer, name or type(network).__name__)
        self.recorder = Recorder(self.inputs)
        self.revision = revision

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {type(self.network).__name__}, device={str(self.device)!r})"

    @property
    def network(self) -> Any:
        """The transformers model."""
        return self.inputs.network

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, or None; it may be replaced."""
        return self.inputs.tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Any) -> None:
        self.inputs.tokenizer = tokenizer

    @property
    def name(self) -> str:
        """What it is called on the screen; it may be changed."""
        return self.inputs.name

    @name.setter
    def name(self, name: str) -> None:
        self.inputs.name = name

    @property
    def device(self) -> torch.device:
        """Where the network takes its input."""
        return input_device(self.network)

    @property
    def dtype(self) -> torch.dtype:
        """In what precision it computes."""
        return next(self.network.parameters()).dtype

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention that a recording will have; raises NoAttentionError where there are none to show."""
        return self.recorder.plan.kinds

    @property
    def reads_pairs(self) -> bool:
        """Whether it is an encoder that reads two sentences as a pair, as BERT does."""
        return self.kinds == ("encoder",) and self.inputs.reads_pairs()

    @property
    def max_tokens(self) -> int | None:
        """How many tokens fit, where the model has a table of positions; None where its positions have no end.

        For an encoder–decoder, of the source; its decoder may have another table.
        """
        return max_positions(self.inputs.stack(of_decoder=False))

    def record(
        self,
        text: str,
        target: str | None = None,
        *,
        pair: str | None = None,
        generate: int | None = None,
        add_special_tokens: bool = True,
        interventions: Sequence[Intervention] = (),
        write_anew: bool = False,
        progress: Progress | None = None,
        layers: Collection[int] | None = None,
        device: str | torch.device | None = None,
        logits: bool = True,
        budget: int | None = None,
    ) -> Recording:
        """Runs the model on a text and keeps what its attention needs to be shown.

        Args:
            text: the sentence; for an encoder–decoder the source.
            target: for an encoder–decoder the target sentence; None means the model's own greedy output.
            pair: a second sentence, for models that take two.
            generate: for a decoder, so many tokens are generated first and recorded with the text; for an
                encoder–decoder without `target`, the most that its output may have.
            add_special_tokens: whether the tokenizer puts its own around the text; False for a text that has them, as
                a chat template makes it.
            interventions: what is changed in the attention, in this order; see `attnviz.interventions`. The recording
                shows the weights that were used.
            write_anew: whether the model writes its own output with these changes; else it reads what it wrote
                without them, so that both can be compared token by token.
            progress: is told after each layer, on a CPU after each head of a long text, what share is done, in (0, 1];
                what it raises ends the run, and the model is as before. Of an encoder–decoder, the layers of the
                encoder.
            layers: keeps only these, of each kind, from 0; all where it is None.
            device: where queries, keys and values are kept, such as "cpu"; None for where the model computes. They
                stay in the model's precision.
            logits: whether the output is kept; False saves much memory where the vocabulary is large.
            budget: the most bytes that the run may need (see `recording_bytes`); None for what is free.

        Returns:
            The recording; the decoder of an encoder–decoder runs when it is first looked at.

        Raises:
            NoTokenizerError, EmptyError, TooLongError: the text cannot be used, and why.
            NoAttentionError: the model has no attention that could be shown, or none that could be changed.
            InputError: there are no such heads or layers, or an intervention does not fit the text.
            MemoryShortError: the recording does not fit into the budget, and what would.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").kinds
        ('encoder', 'decoder', 'cross')
        """
        encoding = self.inputs.encode(text, pair, add_special_tokens=add_special_tokens)
        chosen = self.inputs.encode_target(target)
        beside = {"token_type_ids": encoding.token_type_ids}
        options = _record_options(progress, layers, device, logits, budget)
        return self.recorder.record(
            encoding.tokens, list(encoding.ids), beside, chosen, generate, interventions, write_anew, options
        )

    def record_ids(
        self,
        ids: Sequence[int] | Tensor,
        target_ids: Sequence[int] | Tensor | None = None,
        *,
        generate: int | None = None,
        position_ids: Sequence[int] | Tensor | None = None,
        interventions: Sequence[Intervention] = (),
        write_anew: bool = False,
        progress: Progress | None = None,
        layers: Collection[int] | None = None,
        device: str | torch.device | None = None,
        logits: bool = True,
        budget: int | None = None,
    ) -> Recording:
        """As `record`, from vocabulary ids.

        Args:
            ids: integers, shape (sequence,); padding at either end is left off.
            target_ids: for an encoder–decoder the decoder's input, beginning with its start token; padding behind it
                is left off.
            position_ids: for a single stack, where each id stands in its text: integers, shape (sequence,). Where they
                begin again, as in texts packed into one sequence, decoders of transformers see each text alone.
            interventions, write_anew, progress, layers, device, logits, budget: as for `record`.
        """
        given_ids = integers(ids, "ids")
        numbers = self.inputs.check_ids(self.inputs.without_padding(given_ids, "ids"), "ids")
        positions = None if position_ids is None else self.inputs.check_positions(position_ids, given_ids, numbers)
        decoder_ids = None
        if target_ids is not None:
            if not is_encoder_decoder(self.network):
                raise InputError("{0} has no decoder beside an encoder, so it takes no target.", self.name)
            decoder_ids = self.inputs.without_padding(integers(target_ids, "target_ids"), "target_ids", of_decoder=True)
            decoder_ids = self.inputs.check_ids(decoder_ids, "target_ids", of_decoder=True)
        beside = {"position_ids": positions}
        tokens = from_ids(self.tokenizer, numbers)
        options = _record_options(progress, layers, device, logits, budget)
        return self.recorder.record(tokens, numbers, beside, decoder_ids, generate, interventions, write_anew, options)

    def recording_bytes(self, tokens: int, *, layers: Collection[int] | None = None, logits: bool = True) -> int:
        """About how many bytes a recording of so many tokens needs: queries, keys, values and the output.

        0 where the model's weights are kept as they are. An encoder–decoder's target is taken to be as long.

        >>> model = attnviz.load("bundled")
        >>> model.recording_bytes(2000) == 2 * model.recording_bytes(1000) > model.recording_bytes(2000, layers=[0])
        True
        """
        return self.recorder.plan.needs.bytes(tokens, _record_options(None, layers, None, logits, None))

    def record_changed(self, recording: Recording, interventions: Sequence[Intervention]) -> Recording:
        """The tokens of a recording once more, with changes in the attention: nothing is tokenized or written anew.

        Args:
            recording: of this model, with or without changes; of an encoder–decoder both texts are taken over.
            interventions: what is changed, in this order; see `attnviz.interventions`.

        Raises:
            NoAttentionError, InputError: as for `record`.

        >>> model = attnviz.load("bundled")
        >>> before = model.record("Der Hund sah den Ball.")
        >>> model.record_changed(before, []).query_tokens("cross") == before.query_tokens("cross")
        True
        """
        paired = "cross" in recording.kinds
        source = recording.key_tokens("cross") if paired else recording.query_tokens(recording.kinds[0])
        target = recording.query_tokens("cross") if paired else None
        ids = [token.id for token in source]
        return self.recorder.record(source, ids, recording.beside, target, None, interventions)

    def predict(self, text: str, question: str | None = None, *, pair: str | None = None) -> Prediction:
        """What the model predicts of a text, by the head that its checkpoint was trained with.

        Args:
            text: to be translated, continued, filled in, classified, or searched for an answer.
            question: for a model that finds answers.
            pair: a second sentence, for a model that sorts pairs into classes.

        Returns:
            Labels with probabilities, pieces of the text, or a text; and the recording with the attention.

        Raises:
            InputError: the network has no head that predicts, or `question` is missing, or it or `pair` has no meaning.
            NoTokenizerError, EmptyError, TooLongError, NoAttentionError: as for `record`.

        >>> attnviz.load("bundled").predict("Der Hund sah den Ball.").text
        'The dog saw the ball.'
        """
        return predict(self, text, question, pair=pair)

    def translate(self, text: str, *, max_new_tokens: int = MAX_NEW_TOKENS) -> str:
        """The greedy output of an encoder–decoder for a text.

        >>> attnviz.load("bundled").translate("Der Hund sah den Ball.")
        'The dog saw the ball.'
        """
        if not is_encoder_decoder(self.network):
            raise InputError("{0} has no encoder and decoder, so it does not translate.", self.name)
        numbers = list(self.inputs.encode(text).ids)
        self.inputs.check_length(len(numbers), Message("The text"))
        ids = self.inputs.tensor(numbers)
        with self.recorder.exclusive():
            output = self.recorder.greedy(ids, run_encoder(self.network, ids), max_new_tokens)
        return self.tokenizer.decode(output, skip_special_tokens=True).strip()


def _record_options(
    progress: Progress | None,
    layers: Collection[int] | None,
    device: str | torch.device | None,
    logits: bool,
    budget: int | None,
) -> RecordOptions:
    kept = None if layers is None else frozenset(layers)
    return RecordOptions(kept, None if device is None else torch.device(device), progress, logits, budget)
