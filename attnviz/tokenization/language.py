"""Which language a sentence is in, guessed from its script and its most frequent words.

A guess, made without a model and right for everyday sentences of some words. Where nothing speaks for one language
more than for all others, there is no guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# Words that are frequent in one of these languages; one that several share counts for each of them.
_FREQUENT = {
    "de": "der die das den dem des ein eine einen einem einer und ist sind war nicht ich du er sie es wir ihr mit auf "
    "von zu im am in für weil dass hat haben wird kann mein dein sein ihre wo was wer wie sah auch noch bei nach über",
    "en": "the a an and is are was were not i you he she it we they with on of to in at for because that has have will "
    "can my your his her their where what who how this these there from by be do does did",
    "nl": "de het een en is zijn was niet ik jij je hij zij ze wij we met op van te in aan voor omdat dat heeft hebben "
    "wordt kan mijn jouw haar hun waar wat wie hoe deze die er ook naar bij over maar",
    "fr": "le la les une des et est que sont était ne pas je tu il elle nous vous ils avec sur de du dans pour parce "
    "qui a ont mon ma mes son sa ses au aux ce cette où",
    "es": "el la los las un una unos y es son era no yo tú él ella nosotros con sobre de del en para porque que ha han "
    "mi tu su sus al este esta dónde está",
    "it": "il lo la i gli le un una e è sono era non io tu lui lei noi con su di del della in per perché che ha hanno "
    "mio mia suo sua al alla questo questa dove",
    "pt": "o a os as um uma e é são era não eu tu ele ela nós com sobre de do da em no na para porque que tem meu "
    "seu sua ao este esta onde está",
}
_BY_WORD: dict[str, list[str]] = {}
for _code, _list in _FREQUENT.items():
    for _word in _list.split():
        _BY_WORD.setdefault(_word, []).append(_code)

# The start of a letter's name in Unicode; a script that one language is nearly always meant by.
_SCRIPTS = {"CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "ru", "ARABIC": "ar",
            "HEBREW": "he",
            "GREEK": "el", "THAI": "th", "DEVANAGARI": "hi"}  # fmt: skip

# The words by which a reader sees that a relation of Universal Dependencies is in a sentence at all.
_BE = {
    "de": "sein bin bist ist sind seid war warst waren wart wäre wären gewesen",
    "en": "be am is are was were been being 's 're 'm",
    "nl": "zijn ben bent is was waren geweest",
    "zh": "是",
}
_AUXILIARIES = {
    "de": _BE["de"] + " habe hast hat haben habt hatte hatten hätte hätten werde wirst wird werden werdet wurde wurden "
    "würde würden worden kann kannst können könnt konnte konnten könnte muss musst müssen müsst musste mussten soll "
    "sollen sollte sollten will willst wollen wollte wollten darf darfst dürfen durfte mag mögen möchte möchten",
    "en": _BE["en"] + " have has had having do does did can could will would shall should may might must "
    "don't doesn't didn't can't won't 've 'll 'd",
    "nl": _BE["nl"] + " heb hebt heeft hebben had hadden word wordt worden werd werden kan kunt kunnen kon konden zal "
    "zult zullen zou zouden moet moeten moest mag mogen mocht wil wilt willen wilde",
    "zh": "能 会 可以 应该 想 要 了 着 过",
}
_PREPOSITIONS = {
    "de": "in im ins an am ans auf aus bei beim mit nach von vom zu zum zur für über unter vor hinter neben durch ohne",
    "en": "in on at of to with from by for about over under after before into near behind without",
    "nl": "in op aan van te tot met uit bij voor naar over onder na door achter naast zonder",
    "zh": "在 从 对 向 把 被 给 跟 和",
}
_SHOWN_BY = {"cop": _BE, "aux": _AUXILIARIES, "case": _PREPOSITIONS}


def guess_language(text: str) -> str | None:
    """The language of a sentence as a code of ISO 639-1, or None where nothing speaks for one more than for others.

    >>> guess_language("De kat zit op de mat."), guess_language("学生在写作业。"), guess_language("12 + 3")
    ('nl', 'zh', None)
    """
    scripts = Counter(unicodedata.name(character, "?").split()[0] for character in text if character.isalpha())
    if any(scripts[script] for script in ("HIRAGANA", "KATAKANA")):
        return "ja"
    if scripts:
        most = scripts.most_common(1)[0][0]
        if most != "LATIN":
            return _SCRIPTS.get(most)
    votes = dict[str, float](Counter(code for word in _words_of(text) for code in _BY_WORD.get(word, ())))
    if re.search("[äöü]|ß", text.lower()):
        votes["de"] = votes.get("de", 0) + 2
    if "de" in votes and re.search(r"[^\W\d_],? [A-ZÄÖÜ]", text):
        votes["de"] += 0.5  # nouns have capitals; so have names in other languages, hence less than a word
    (code, first), (_other, second) = [*sorted(votes.items(), key=lambda item: -item[1]), ("", 0), ("", 0)][:2]
    return code if first > second else None


def is_frequent_word(word: str) -> bool:
    """Whether a word is one of those that hold sentences together rather than name something, in one of the languages.

    >>> is_frequent_word("The"), is_frequent_word("bat")
    (True, False)
    """
    return word.casefold() in _BY_WORD


def may_have_relation(text: str, relation: str, language: str) -> bool:
    """Whether a relation of Universal Dependencies can be in a sentence; False only where that is sure.

    A copula, an auxiliary and a preposition are words of a short list; of other relations nothing is known here.

    >>> may_have_relation("Der Hund sah den Ball.", "cop", "de"), may_have_relation("Er ist müde.", "cop", "de")
    (False, True)
    """
    listed = _SHOWN_BY.get(relation, {}).get(language)
    if listed is None:
        return True
    if language == "zh":
        return any(word in text for word in listed.split())
    return not set(listed.split()).isdisjoint(_words_of(text))


def has_spaces(text: str) -> bool:
    """Whether the script puts spaces between words; False for Chinese, Japanese and Thai, for instance.

    >>> has_spaces("Der Hund sah den Ball."), has_spaces("学生在写作业。")
    (True, False)
    """
    return guess_language(text) not in {"zh", "ja", "th"}


def _words_of(text: str) -> list[str]:
    """In small letters, with what an apostrophe parts from a word both apart and together."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.casefold().replace("’", "'"))
    return [part for word in words for part in ([word, *re.split(r"(?=')", word)] if "'" in word else [word])]
