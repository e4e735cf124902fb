"""The sentences that the app offers to begin with; data only.

They are kept out of the bundled model's training data (`training/corpus/pairs.py` reads these lists), so that what a
picture shows was learned from other sentences and never from the one on the screen.
"""

from __future__ import annotations

FIRST_EXAMPLES: dict[str, str] = {
    "en": "The teacher taught the student with the book.",
    "de": "Der Hund sah den Ball.",
    "nl": "De kat zit op de mat.",
    "zh_Hans": "老师把书给了学生。",
    "zh_Hant": "女孩把花放在桌子上。",
}
"""What the app opens with, by the reader's language.

The bundled model learned simplified characters; those of the last sentence are written alike in both scripts.
"""

HAND_WORDS: dict[str, tuple[str, ...]] = {
    "en": ("Your", "journey", "starts", "with", "one", "step"),
    "de": ("Ihre", "Reise", "beginnt", "mit", "einem", "Schritt"),
    "nl": ("Je", "reis", "begint", "met", "één", "stap"),
    "zh_Hans": ("我的", "旅程", "始", "于", "一", "步"),
    "zh_Hant": ("我的", "旅程", "始", "於", "一", "步"),
}
"""What the page By hand opens with, by the reader's language: word for word the same, as the numbers are the same."""

HOME_EXAMPLES: tuple[str, ...] = (
    "The teacher taught the student with the book.",
    "Der Hund sah den Ball.",
    "De kat zit op de mat.",
    "Die Fledermaus flog nachts.",
    "Miami, also called the magic city, has beautiful white beaches.",
    "学生在写作业。",
    "Der Lehrer gab dem Schüler das Buch, weil er es brauchte.",
    "De student las het boek dat de leraar hem gaf.",
)
"""Offered on the home page, after the one that the reader's language begins with."""

OTHER_EXAMPLES: tuple[str, ...] = (
    "Schwing den Schläger!",
    "Swing the bat!",
    "The bat flew at night.",
    "The cat sits on the mat.",
    "The dog saw the ball.",
    "The teacher gave the book to the students.",
    "The girl put the flowers on the table.",
    "Your journey starts with one step.",
    "学生在写生。",
    "学生在写作。",
    "She sat on the bank of the river.",
    "He took the money to the bank.",
    "Wir sitzen auf einer Bank im Park.",
    "Er bringt das Geld zur Bank.",
    "Haar arm doet pijn.",
    "De oude man is arm.",
    "桌子上有花。",
    "我不想花太多。",
    "I saw a bird.",
    "He cut it with a saw.",
    "The cat drank the milk because it was thirsty.",
    "The cat drank the milk because it was fresh.",
)
"""Offered by other pages, or the plain translations of the sentences above."""
