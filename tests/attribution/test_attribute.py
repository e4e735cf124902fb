"""What is explained, what is refused, and that nothing stays behind in the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models as tiny
from support import tiny_tokenizers
from support.bundled import bundled_model
from support.recordings import model, recording

from attnviz import Model
from attnviz.attribution import METHODS, attribute, attribution_matrix
from attnviz.errors import InputError, NoAttentionError
from attnviz.interventions import Ablate, Heads
from attnviz.models.predictions import passage_positions

SENTENCE = "Der Hund sah den Ball."
RUNNING = [name for name, method in METHODS.items() if method.runs]
EXACT = [name for name, method in METHODS.items() if method.runs or method.compares]


# What is explained ---------------------------------------------------------------------------------------------------


def test_each_kind_of_model_has_a_prediction_to_begin_with() -> None:
    translated = attribute(bundled_model(), SENTENCE).target
    assert (translated.text.strip(), translated.position) == ("The", 1)
    said = attribute(bundled_model(), SENTENCE, position=-2, target="The dog saw the cat.").target
    assert said.text.strip() == "." and said.probability is not None and 0 < said.probability <= 1
    behind = attribute(model("gpt2"), recording("gpt2")).target
    logits = recording("gpt2").logits
    assert logits is not None and (behind.position, behind.token) == (12, int(logits[-1].argmax()))
    inside = attribute(model("gpt2"), recording("gpt2"), position=3).target
    assert inside.token == tiny.ids()[4]


def test_a_masked_word_is_found() -> None:
    tokenizer = tiny_tokenizers.wordpiece()
    masked = Model(tiny.network("bert", vocab_size=len(tokenizer)), tokenizer)
    result = attribute(masked, "the [MASK] taught the student", "occlusion", missing="delete")
    at = next(at for at, token in enumerate(result.tokens) if token.text == "[MASK]")
    assert result.target.position == at and result.values[at] == 0.0
    assert attribute(masked, "the teacher taught", "attention_gradient", position=2).target.token is not None
    with pytest.raises(InputError, match=r"Put \[MASK\] in the place of a word"):
        attribute(masked, "the teacher taught")


@pytest.mark.parametrize(
    ("classifier", "name", "position"),
    [("BertForSequenceClassification", "bert", 0), ("GPT2ForSequenceClassification", "gpt2", 12)],
)
def test_a_class_is_explained_by_its_number_or_name(classifier: str, name: str, position: int) -> None:
    network_class = getattr(transformers, classifier)
    config = network_class.config_class(
        vocab_size=tiny.VOCABULARY, id2label={0: "bad", 1: "good", 2: "mixed"}, **tiny.NETWORKS[name][1]
    )
    network = network_class(config).eval()
    tiny.draw(network)
    classified = Model(network)
    own = classified.record_ids(tiny.ids())
    with torch.no_grad():
        expected = network(torch.tensor([tiny.ids()])).logits[0].softmax(dim=-1)
    for method in METHODS:
        target = attribute(classified, own, method, steps=8).target
        assert target.is_class and target.token == int(expected.argmax()) and target.position == position
        assert target.probability == pytest.approx(float(expected.max()), abs=1e-5)
    named = attribute(classified, own, "occlusion", token="Good", against="bad")
    assert (named.target.token, named.target.text, named.target.against_text) == (1, "good", "bad")
    with pytest.raises(InputError, match="no class 'ugly'. It has: bad, good, mixed"):
        attribute(classified, own, token="ugly")


@pytest.mark.parametrize("has_grade", [False, True])
def test_a_network_without_a_choice_has_attention_to_follow_and_nothing_to_explain(has_grade: bool) -> None:
    config = transformers.BertConfig(vocab_size=tiny.VOCABULARY, num_labels=1, **tiny.NETWORKS["bert"][1])
    bare = Model(transformers.BertForSequenceClassification(config) if has_grade else model("bert").network.bert)
    own = bare.record_ids(tiny.ids())
    result = attribute(bare, own, "rollout")
    assert result.target.token is None and result.values.sum() == pytest.approx(1.0)
    for method in RUNNING:
        with pytest.raises(InputError, match="no prediction to explain"):
            attribute(bare, own, method)
    with pytest.raises(InputError, match="no token can be explained"):
        attribute(bare, own, token=7)


def test_both_ends_of_an_answer_are_explained() -> None:
    tokenizer = tiny_tokenizers.wordpiece()
    config = tiny.network("bert", vocab_size=len(tokenizer)).config
    network = transformers.BertForQuestionAnswering(config).eval()
    tiny.draw(network)
    answering = Model(network, tokenizer)
    passage, question = "the teacher taught the student", "the cat"
    own = answering.record(question, pair=passage)
    tokens = own.query_tokens("encoder")
    with torch.no_grad():
        output = network(
            torch.tensor([[token.id for token in tokens]]), token_type_ids=torch.tensor([own.beside["token_type_ids"]])
        )
    inside = passage_positions(tokens)
    for edge, logits in (("start", output.start_logits[0]), ("end", output.end_logits[0])):
        best = inside[int(logits[inside].argmax())]
        for method in METHODS:
            result = attribute(answering, own, method, token=edge, steps=8)
            assert (result.target.edge, result.target.position, result.target.text) == (edge, best, tokens[best].text)
            assert result.target.probability == pytest.approx(float(logits.softmax(dim=-1)[best]), abs=1e-5)
        lost = attribute(answering, own, "occlusion", token=edge, missing="replace").values
        assert np.isfinite(lost).all() and lost.any()
        other = next(at for at in inside if at != best)
        named = attribute(answering, own, "occlusion", token=edge, against=other)
        parts = [attribute(answering, own, "occlusion", position=at, token=edge).values for at in (best, other)]
        assert named.values == pytest.approx(parts[0] - parts[1], abs=1e-4)
    typed = attribute(answering, passage, "occlusion", token="end", question=question)
    assert np.array_equal(typed.values, attribute(answering, own, "occlusion", token="end").values)
    for arguments, words in [
        ({"token": "middle"}, '"start" or "end", not \'middle\''),
        ({"against": "cat"}, "the position of another token"),
        ({"missing": "delete", "method": "occlusion"}, "moves the answer"),
    ]:
        with pytest.raises(InputError, match=words):
            attribute(answering, own, **arguments)


def test_the_label_of_one_token_is_explained() -> None:
    tokenizer = tiny_tokenizers.wordpiece()
    config = tiny.network("bert", vocab_size=len(tokenizer)).config
    labelled = Model(transformers.BertForTokenClassification(config), tokenizer)
    own = labelled.record("the teacher taught")
    assert own.logits is not None
    target = attribute(labelled, own, "attention_gradient", position=2).target
    assert (target.token, target.position, target.is_class) == (int(own.logits[2].argmax()), 2, True)


def test_a_word_can_be_named_where_it_is_one_token() -> None:
    named = attribute(bundled_model(), SENTENCE, "occlusion", position=2, token="dog", against="cat").target
    assert (named.text.strip(), named.against_text.strip()) == ("dog", "cat")
    with pytest.raises(InputError, match="is no single token of"):
        attribute(bundled_model(), SENTENCE, token="dog and cat")


def test_the_matrix_of_a_translation_has_the_row_of_each_word() -> None:
    matrix = attribution_matrix(bundled_model(), SENTENCE, "norms", layer=3)
    assert [token.text.strip() for token in matrix.target_tokens] == ["The", "dog", "saw", "the", "ball", "."]
    for row, position in zip(matrix.values, range(1, 7), strict=True):
        alone = attribute(bundled_model(), matrix.recording, "norms", position, layer=3)
        assert np.array_equal(row, alone.source_values)
    with pytest.raises(InputError, match="does not translate"):
        attribution_matrix(model("gpt2"), recording("gpt2"))


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "magic"}, "There is no method 'magic'. Choose one of: attention, rollout"),
        ({"method": "rollout", "layer": 1, "head": 0}, "takes no `head`"),
        ({"method": "occlusion", "layer": 1}, "takes no `layer`"),
        ({"method": "attention", "head": 0}, "pass `layer` too"),
        ({"method": "attention", "layer": 9}, "9"),
        ({"position": 13}, "from 0 to 12 here, not 13"),
        ({"token": 101}, "from 0 to 100"),
        ({"token": 7, "against": 7}, "are the same"),
        ({"token": "cat"}, "has no tokenizer"),
        ({"method": "occlusion", "missing": "burn"}, '"hide", "delete" or "replace"'),
        ({"method": "integrated_gradients", "steps": 0}, "`steps` is a number of steps"),
    ],
)
def test_what_cannot_be_chosen_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        attribute(model("gpt2"), recording("gpt2"), **arguments)


def test_a_recording_of_changed_attention_is_refused() -> None:
    changed = model("gpt2").record_ids(tiny.ids(), interventions=[Ablate(Heads("decoder", 0, 0))])
    with pytest.raises(InputError, match="changed attention"):
        attribute(model("gpt2"), changed)


@pytest.mark.parametrize("name", ["gptj", "bigbird_pegasus"])
def test_models_that_give_only_weights_have_the_methods_that_need_no_more(name: str) -> None:
    without = {"attention", "rollout", "flow", "input_gradient", "integrated_gradients"}
    for method in without:
        assert attribute(model(name), recording(name), method, 2, steps=4).values.any()
    for way in ("delete", "replace"):
        assert attribute(model(name), recording(name), "occlusion", 2, missing=way).values.any()
    for method in (
        "norms",
        "norms_residual",
        "attention_gradient",
        "attention_attribution",
        "attention_lrp",
        "occlusion",
    ):
        with pytest.raises(NoAttentionError, match="inside its own code"):
            attribute(model(name), recording(name), method, 2)


def test_half_precision_is_refused_where_small_differences_count() -> None:
    half = Model(tiny.network("gpt2").to(torch.bfloat16))
    own = half.record_ids(tiny.ids())
    for method in METHODS:
        if method in EXACT:
            with pytest.raises(InputError, match="computes in bfloat16"):
                attribute(half, own, method)
        else:
            assert attribute(half, own, method).values.any()


def test_a_flow_through_a_long_text_is_refused_before_it_is_begun() -> None:
    long = Model(tiny.network("gpt2", n_positions=400))
    with pytest.raises(InputError, match='Choose "rollout"'):
        attribute(long, long.record_ids(tiny.ids(300)), "flow")


# What stays behind ---------------------------------------------------------------------------------------------------


def hooks(network: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


class Enough(Exception):
    """Ends a computation."""


def stop(share: float) -> None:
    raise Enough


@pytest.mark.parametrize("name", ["bert", "marian"])
def test_nothing_stays_behind_also_after_an_error_and_while_it_is_trained(name: str) -> None:
    network = tiny.network(name, attention="sdpa")
    trained = Model(network)
    own = trained.record_ids(**tiny.inputs(name))
    expected = {method: attribute(trained, own, method, 2, steps=4).values for method in METHODS}
    network.train()
    for parameter in network.parameters():
        parameter.requires_grad_(False)  # frozen, as many people's are
    for method in METHODS:
        assert attribute(trained, own, method, 2, steps=4).values == pytest.approx(expected[method], abs=1e-5)
        if method in ("attention_attribution", "integrated_gradients", "occlusion"):
            with pytest.raises(Enough):
                attribute(trained, own, method, 2, steps=4, progress=stop)
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    assert hooks(network) == 0 and network.config._attn_implementation == "sdpa" and torch.is_grad_enabled()
    with torch.no_grad():
        again = attribute(trained, own, "input_gradient", 2).values
        assert not torch.is_grad_enabled()
    assert again == pytest.approx(expected["input_gradient"], abs=1e-5)


def test_parameters_get_no_gradients() -> None:
    network = tiny.network("gpt2")
    for method in RUNNING:
        attribute(Model(network), Model(network).record_ids(tiny.ids()), method, steps=4)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def test_a_long_text_gives_the_same_twice_and_says_how_far_it_is() -> None:
    long = Model(tiny.network("llama", max_position_embeddings=400, num_hidden_layers=1))
    own, shorter = long.record_ids(tiny.ids(300)), long.record_ids(tiny.ids(80))
    for method in METHODS:
        text = shorter if method in ("flow", "occlusion") else own  # their work grows with a higher power of the length
        shares: list[float] = []
        results = [attribute(long, text, method, steps=3, progress=shares.append).values for _ in range(2)]
        assert len(results[0]) == len(text.query_tokens("decoder")) and np.array_equal(*results)
        if shares:
            assert shares[-1] == 1.0 and max(shares) <= 1.0
