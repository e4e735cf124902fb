"""`python -m training STAGE --corpus FOLDER --work FOLDER`: from the corpus to the weights, stage by stage."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

STAGES = ("tokenizer", "pack", "train", "evaluate", "export", "roles")
MAX_TOKENS = 96
JOINED = 0.1


def main() -> None:
    import torch

    options, recipe = read()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for stage in STAGES if options.stage == "all" else (options.stage,):
        globals()[f"run_{stage}"](options, recipe)


def read(arguments: Sequence[str] | None = None):
    """The options and the `training.network.recipe.Recipe` of a command line, `sys.argv` without one."""
    from training.network.recipe import Recipe

    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "stage",
        choices=(*STAGES, "all", "progress"),
        help="'all' runs every stage in this order; 'progress' shows what the last checkpoint is worth",
    )
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder that holds tatoeba/ and ud/ (see training/README.md)"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for tokenizer, packed data and checkpoints")
    parser.add_argument("--bundle", type=Path, default=Path("attnviz/bundled"), help="where export writes the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves PyTorch's choice")
    parser.add_argument("--processes", type=int, default=1, help="of the training; on a CPU one for each core is best")
    parser.add_argument("--vocabulary", type=int, default=12_000, help="entries that tokenizer learns")
    parser.add_argument(
        "--subword-dropout",
        type=float,
        default=0.0,
        help="share of the merges that pack leaves out at random in the sources of every other pair",
    )
    parser.add_argument("--start", type=Path, help="an exported folder whose weights a new training begins with")

    for field in fields(Recipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    options = parser.parse_args(arguments)
    return options, Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})


def run_tokenizer(options: argparse.Namespace, recipe) -> None:
    from attnviz.roles.corpora import treebank
    from training.corpus.pairs import SOURCES, is_example, read_pairs
    from training.corpus.tokenizer import pieces_of_words, tokens_a_sentence, train_tokenizer
    from training.evaluation import sources

    sentences = []
    for language in SOURCES:
        for foreign, english in read_pairs(options.corpus, "train", language):
            if not is_example(foreign, english):
                # Dutch and Chinese count twice, or German and English would take nearly the whole vocabulary.
                sentences += [foreign, english] if language == "de" else [foreign, foreign, english]
    tokenizer = train_tokenizer(sentences, options.vocabulary)
    tokenizer.save(str(options.work / "tokenizer.json"))
    german = read_pairs(options.corpus, "dev", "de")
    dev = {language: [row[0] for row in read_pairs(options.corpus, "dev", language)] for language in SOURCES}
    dev["en"] = [row[1] for row in german]
    counts = (f"{language} {tokens_a_sentence(tokenizer, lines):.1f}" for language, lines in dev.items())
    print(
        f"{tokenizer.get_vocab_size():,} entries; tokens a sentence of the dev splits: {', '.join(counts)}", flush=True
    )
    path = sources.treebanks(options.corpus).get("de")
    if path:
        with path.open(encoding="utf-8") as lines:
            unseen = [sentence.text for sentence in treebank.read_conllu(lines, path.name)]
        single_token, pieces = pieces_of_words(tokenizer, unseen)
        print(f"words of {path.stem}: {single_token:.0%} are one token, {pieces:.2f} tokens a word", flush=True)


def run_pack(options: argparse.Namespace, recipe) -> None:
    from tokenizers import Tokenizer

    from training.corpus.pairs import join_pairs, pack, repeat_long_pairs, training_pairs

    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    pairs = list(training_pairs(options.corpus))
    packed = pack(repeat_long_pairs(pairs) + join_pairs(pairs, JOINED), tokenizer, MAX_TOKENS, options.subword_dropout)
    packed.save(options.work / "packed.npz")
    print(f"{len(packed):,} pairs, {len(packed.source):,} source and {len(packed.target):,} target tokens", flush=True)


def run_train(options: argparse.Namespace, recipe) -> None:
    from tokenizers import Tokenizer

    from training.corpus.pairs import Packed
    from training.corpus.tokenizer import punctuation
    from training.network.train import train

    packed = Packed.open(options.work / "packed.npz")
    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    train(
        packed,
        tokenizer.get_vocab_size(),
        recipe,
        options.work / "run",
        options.device,
        options.processes,
        start=options.start,
        punctuation=punctuation(tokenizer),
    )


def run_evaluate(options: argparse.Namespace, recipe) -> None:
    from training.evaluation.evaluate import evaluate

    evaluate(options.corpus, options.work, options.device)


def run_export(options: argparse.Namespace, recipe) -> None:
    from training.publish.export import export

    export(options.work, options.bundle)


def run_roles(options: argparse.Namespace, recipe) -> None:
    from training.publish.roles import publish_roles

    publish_roles(options.corpus, options.work, options.bundle)


def run_progress(options: argparse.Namespace, recipe) -> None:
    from training.evaluation.progress import progress

    progress(options.corpus, options.work)


if __name__ == "__main__":
    main()
