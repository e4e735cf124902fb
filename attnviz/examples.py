"""The sentences that the app offers to begin with; data only.

They are kept out of the bundled model's training data (`training/corpus/pairs.py` reads this list), so that what a
picture shows was learned from other sentences and never from the one on the screen.
"""

from __future__ import annotations

HOME_EXAMPLES: tuple[str, ...] = (
    "Der Hund sah den Ball.",
    "The teacher taught the student with the book.",
    "De kat zit op de mat.",
    "Die Fledermaus flog nachts.",
    "Miami, also called the magic city, has beautiful white beaches.",
    "学生在写作业。",
    "Der Lehrer gab dem Schüler das Buch, weil er es brauchte.",
    "De student las het boek dat de leraar hem gaf.",
)
"""Offered on the home page; the first one is there when the app opens."""

FIRST_EXAMPLES: dict[str, str] = {
    "de": "Der Hund sah den Ball.",
    "nl": "De kat zit op de mat.",
    "zh_Hans": "学生在写作业。",
    "zh_Hant": "学生在写作业。",
}
"""What the app opens with by the reader's language, one of the sentences above; the first of them in all others."""

OTHER_EXAMPLES: tuple[str, ...] = (
    "Schwing den Schläger!",
    "Swing the bat!",
    "The bat flew at night.",
    "The cat sits on the mat.",
    "The dog saw the ball.",
    "Your journey starts with one step.",
    "学生在写生。",
    "学生在写作。",
    "She sat on the bank of the river.",
    "He took the money to the bank.",
    "The cat drank the milk because it was thirsty.",
    "The cat drank the milk because it was fresh.",
)
"""Offered by other pages, or the plain translations of the sentences above."""
