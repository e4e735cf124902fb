"""The table of all controls of all pages, each with what uses it in a browser; `tests/ui/test_controls.py` holds it.

A row names a test that uses its control, or says what is done with it and what is then seen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    """A control, and what uses it.

    Attributes:
        at: a selector of its elements.
        test: the file and the name of a test in a browser that uses it and sees what it does; empty: this one does.
        by: what in the source of that test, or of a helper that it calls, reaches the control.
        act: what is done here: "click", "turn" a switch, "pick" an option, "type" a text, "press" a key, "save" a file.
        sees: what is seen then: "name=value" in the address together with other figures, "/page", or a selector.
    """

    at: str
    test: str = ""
    by: str = ""
    act: str = ""
    sees: str = ""


def tested(at: str, test: str, by: str) -> Control:
    """A control that a test of its own uses; a test's file is named by its folder."""
    folder, name = test.split(" ")
    file = folder if folder.endswith(".py") else f"screens/{folder}/test_in_browser.py"
    return Control(at, f"{file}::{name}", by)


def used(at: str, act: str, sees: str) -> Control:
    """A control that is used here."""
    return Control(at, act=act, sees=sees)


NOWHERE = "type /no/such/folder"
REFUSED = "[data-testid=stAlert]:has-text('/no/such/folder')"
SENTENCE = ".st-key-sentence textarea"
TAKE, FORMAT = ".attnviz-take-button:has-text('Export')", ".attnviz-take-format"
COPY = ".attnviz-take-button:has-text('Copy link')"
FILES = [
    tested(COPY, "heads test_a_copied_link_shows_the_same", "Copy link"),
    used(TAKE, "click", ".attnviz-take-menu:visible"),
    used(f"{FORMAT}[aria-label$=': csv']", "save", ".csv"),
    tested(
        ".attnviz-take-frame",
        "test_embedded.py test_a_copied_frame_shows_the_same_view_without_controls",
        "Copy embed code",
    ),
    tested(FORMAT, "heads test_the_files_hold_what_is_on_the_screen", "Heatmap: "),
]
PAGE_FILES = [
    *FILES[:-1],
    tested(FORMAT, "test_page_exports.py test_the_files_of_a_page_hold_its_figures_and_numbers", "This page"),
]


def switches(key: str, query: str) -> list[Control]:
    """The switches of what is shown, used with a token that is a key and one that is a query."""
    return [
        used(".st-key-by_word input", "turn", "by_word=true"),
        used(".st-key-hide_special input", "turn", "hide_special=true"),
        used(".st-key-more button", "click", ".st-key-hide"),
        used(".st-key-hide_first input", "turn", "hide_first=true"),
        used(".st-key-scale_per_head input", "turn", "scale_per_head=true"),
        used(".st-key-renormalise input", "turn", "renormalise=true"),
        used(".st-key-hide input", f"pick {key}", f"hide={key}"),
        used(".st-key-rows input", f"pick {query}", f"rows={query}"),
    ]


ANOTHER = "sentence=De kat zit op de mat."
MEASURING = tested(
    ":is(.st-key-measuring_link, .st-key-glossary) a",  # in the other while the page is drawn anew
    "attribution test_the_line_under_a_map_leads_here_with_the_same_sentence",
    "measuring_link",
)
EXAMPLE = used(".st-key-example button", "click De kat", ANOTHER)
LAYER = used(".st-key-layer button", "click 1", "layer=1")
COSTS = used(".st-key-costs button", "click", "[data-testid=stTable]")
MODEL = used(".st-key-model input", NOWHERE, REFUSED)  # the last of a page: nothing is drawn after it

EVERYWHERE = [
    tested(  # while a model is measured
        ".st-key-cancel_roles button", "roles test_a_measurement_can_be_ended", "cancel_roles"
    ),
    tested(  # while a long text is recorded, and afterwards
        ":is(.st-key-cancel_recording, .st-key-record_again) button",
        "long_text test_a_long_recording_says_how_far_it_is_and_is_cancelled_and_begun_again",
        "st-key-cancel_recording",
    ),
    tested(  # where the text is too long
        ".st-key-only_beginning button",
        "long_text test_of_too_long_a_text_the_beginning_is_shown_and_back_brings_the_whole",
        "st-key-only_beginning",
    ),
    tested(  # while all heads are measured
        ".st-key-cancel_importance button",
        "what_if test_heads_are_switched_off_and_measured",
        "st-key-cancel_importance",
    ),
    tested(
        ":is([data-testid=stTopNavSection], [data-testid=stTopNavDropdownLink])",
        "test_from_page_to_page.py test_the_names_of_the_pages_stand_in_groups_that_say_which_page_is_shown",
        "stTopNavSection",
    ),
    tested(
        ":is([data-testid=stSidebarNavLink], [data-testid=stExpandSidebarButton], [data-testid=stSidebar] *)",
        "test_from_page_to_page.py test_on_a_telephone_the_menu_goes_once_a_page_is_chosen",
        "stSidebarNavLink",
    ),
    tested(
        ".attnviz-term",
        "test_from_page_to_page.py test_a_word_of_the_field_is_explained_where_it_stands",
        "attnviz-term",
    ),
    tested(
        ".attnviz-file",
        "controls/test_text_boxes_in_browser.py test_a_box_takes_lines_and_files_and_says_what_it_cannot_read",
        "attnviz-file",
    ),
    tested(
        ".attnviz-fold",
        "test_folded_controls.py test_the_controls_fold_into_a_line_that_says_what_is_chosen",
        "attnviz-fold",
    ),
    tested(
        ".st-key-pieces input",  # where a word is read in several tokens
        "steps test_one_walks_from_step_to_step_and_to_other_pages",
        "st-key-pieces",
    ),
    tested(
        ".st-key-even_colours input",  # where the text is long
        "heads test_a_long_text_is_not_white_and_has_switches",
        "st-key-even_colours",
    ),
    tested(
        ".st-key-pair textarea",  # where the model reads pairs
        "test_sentence_pairs.py test_a_second_sentence_is_typed_and_follows_to_other_pages",
        'text_box(page, "pair")',
    ),
    tested(
        ".st-key-question textarea",  # where the model finds answers
        "screens/translate/test_heads.py test_the_answer_is_marked_in_the_passage_and_explained",
        'text_box(page, "question")',
    ),
    tested(
        ":is(.st-key-reasons .attnviz-why-output button, .st-key-reasons_link a)",  # where the model gives classes
        "screens/translate/test_heads.py test_the_answer_is_marked_in_the_passage_and_explained",
        "st-key-reasons_link",
    ),
    tested(".st-key-language button", "shell/test_language.py test_a_language_is_picked_by_its_own_name", "language"),
    tested(
        "[data-testid=stLogoLink]",
        "test_controls.py test_the_name_of_the_app_leads_to_the_home_page",
        "stLogoLink",
    ),
]

# Parts that Streamlit's own elements bring along: help, steppers, what tables and code have in their corners.
STREAMLIT = [
    "[data-testid=stSkipToContent]", "[data-testid=stMain]", "[data-testid=stTooltipHoverTarget] *", "[data-tag]",
    "[data-tag] *", "button[aria-label=Dismiss]",
    "[data-testid=stHeaderActionElements] *", "[data-testid=stSelectbox] button", "[data-testid=stMultiSelect] button",
    "[data-testid=stNumberInput] button", "[data-testid=stElementToolbar] *", "[data-testid=stToolbarActions] *",
    "[data-testid=stDataFrame]", "[data-testid=stDataFrame] *", "[data-testid=stMainMenu] *", "[data-testid=stCode]",
    "[data-testid=stElementToolbarButton] *", "[data-testid=stBaseButton-elementToolbar]",
    # These take the focus only so that the arrow keys scroll them.
    ".attnviz-tables-scroll", ".attnviz-story-scroll", ".attnviz-roles-panel",
]  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """Keys that a component listens for, by itself: those of a button or a list are the browser's.

    Attributes:
        file: the component's code.
        at: the element that has the focus.
        keys: pressed one after the other; each changes what is seen.
        seen: a selector of what changes; the element that has the focus counts as seen too.
        test: the file and the name of a test that presses them instead.
    """

    file: str
    at: str = ""
    keys: str = ""
    seen: str = "body > :not(*)"
    test: str = ""


@dataclass(frozen=True)
class Screen:
    """A page: where it is opened, its controls in the order in which they are used, and keys, which come before."""

    address: str
    controls: list[Control]
    keys: tuple[Keys, ...] = ()


STAGE = "screens/story/test_stage_in_browser.py"
SCREENS = {
    "story": Screen(
        "/story?scene=1&sentence=Der+Hund+sah+den+Ball.",
        [
            tested(
                ":is(.attnviz-story-back, .attnviz-story-next, .attnviz-story-marks button)",
                f"{STAGE} test_each_scene_by_key_by_button_and_by_mark_shows_the_models_own_numbers",
                "attnviz-story-marks",
            ),
            tested(
                ":is(.attnviz-story-play, .attnviz-story-scrub, .attnviz-story-speed)",
                f"{STAGE} test_it_plays_pauses_and_goes_where_the_bar_says",
                "attnviz-story-speed",
            ),
            tested(
                ".attnviz-story-asking button", f"{STAGE} test_another_word_asks_and_guesses_are_answered", "ASKING"
            ),
            tested(
                ".attnviz-story-copy", f"{STAGE} test_another_word_asks_and_guesses_are_answered", "attnviz-story-copy"
            ),
            tested(
                ".attnviz-story-link",
                f"{STAGE} test_a_screen_reader_gets_each_scene_as_text_and_table",
                "attnviz-story-link",
            ),
            used(".attnviz-story-numbers summary", "click", ".attnviz-story-numbers table"),
            used(".attnviz-story-marks button", "click 5", ".attnviz-story-show"),
            tested(".attnviz-story-guess button", f"{STAGE} test_another_word_asks_and_guesses_are_answered", "GUESS"),
            used(".attnviz-story-qr", "click", ".attnviz-story-close"),
            used(".attnviz-story-close", "click", ".attnviz-story-show"),
            tested(
                SENTENCE,
                "screens/story/test_page_in_browser.py test_an_own_sentence_is_told_and_its_links_hold",
                "text_box(page)",
            ),
            used(".attnviz-fold", "click", ".st-key-story_head"),
            *PAGE_FILES,
            used(".st-key-story_head input", "pick L2 H5", "layer=2"),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "stage.js",
                keys="ArrowRight ArrowLeft",
                test=f"{STAGE}::test_each_scene_by_key_by_button_and_by_mark_shows_the_models_own_numbers",
            ),
            Keys("stage.js", keys="Space", test=f"{STAGE}::test_it_plays_pauses_and_goes_where_the_bar_says"),
            Keys("stage.js", keys="Escape", test=f"{STAGE}::test_another_word_asks_and_guesses_are_answered"),
        ),
    ),
    "heads": Screen(
        "/?head=3&kind=cross&sentence=Der+Hund+sah+den+Ball.",
        [
            MEASURING,
            tested(SENTENCE, "heads test_a_newcomer_looks_at_all_heads", "text_box(page)"),
            tested(".st-key-target textarea", "heads test_a_copied_link_shows_the_same", '100 %", "target")'),
            tested(
                ".attnviz-hint-link",
                "screens/story/test_page_in_browser.py test_a_newcomer_is_led_to_the_story_of_the_sentence",
                "New here?",
            ),
            tested(
                ".attnviz-hint-close",
                "heads test_a_newcomer_looks_at_all_heads",
                "Got it",
            ),
            tested(".st-key-kind button", "heads test_a_copied_link_shows_the_same", "st-key-kind"),
            tested(".st-key-layer button", "heads test_a_copied_link_shows_the_same", "st-key-layer"),
            tested(
                ".st-key-heads .attnviz-head-button",
                "heads test_a_head_is_opened_explained_and_closed",
                "PICTURES",
            ),
            tested(
                "[class*=st-key-other_] .attnviz-head-button",
                "heads test_a_head_is_opened_explained_and_closed",
                "Cross L",
            ),
            tested(".attnviz-lines-word", "heads test_a_head_is_opened_explained_and_closed", "lines-side"),
            *FILES,
            *switches("sah", "dog"),
            used(".st-key-head input", "pick 5", "head=5"),
            tested(
                ":is(.st-key-why summary, .st-key-looking input, .st-key-looked_at input)",
                "heads test_a_head_is_opened_explained_and_closed",
                "st-key-why summary",
            ),
            used(".st-key-opened summary", "click Numbers", ".st-key-opened [data-testid=stDataFrame]"),
            used(".st-key-close_head button", "click", ".st-key-numbers summary"),
            used(".st-key-numbers summary", "click", ".st-key-numbers [data-testid=stDataFrame]"),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "head_grid.js",
                ".attnviz-head-button",
                "ArrowRight ArrowRight ArrowDown ArrowLeft ArrowUp Escape",
                ".attnviz-tip",
            ),
            Keys(
                "token_lines.js",
                ".attnviz-lines-word",
                "ArrowDown ArrowUp End Home ArrowRight ArrowLeft Enter Escape",
                ".attnviz-lines-word[aria-pressed=true]",
            ),
            Keys("export_menu.js", TAKE, "Enter Escape", ".attnviz-take-menu"),
            Keys(
                "glossary.js",
                keys="Escape",
                test="test_from_page_to_page.py::test_a_word_of_the_field_is_explained_where_it_stands",
            ),
            Keys(
                "fold_controls.js",
                keys="Enter",
                test="test_folded_controls.py::test_on_a_telephone_the_controls_fold_once_by_themselves",
            ),
            Keys(
                "page_shell.js",
                keys="Enter",
                test="test_from_page_to_page.py::test_what_the_keyboard_does_in_the_box_and_beside_it",
            ),
            Keys(
                "page_shell.js",
                keys="p",
                test="test_from_page_to_page.py::test_what_the_keyboard_does_in_the_box_and_beside_it",
            ),
        ),
    ),
    "overview": Screen(
        "/overview?sentence=Der+Hund+sah+den+Ball.",
        [
            MEASURING,
            tested(SENTENCE, "overview test_a_link_holds_any_sentence_and_markup_is_never_run", "text_box(page)"),
            tested(
                ".st-key-found button",
                "overview test_all_heads_are_looked_at",
                "at the previous word",
            ),
            tested(
                ".attnviz-mosaic-tile", "overview test_a_head_is_opened_by_the_table_a_click_and_the_keyboard", "tile("
            ),
            used(".st-key-kind button", "click cross", "kind=cross"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            used(".st-key-kind button", "click encoder", "!kind"),
            COSTS,
            *FILES,
            *switches("sah", "Hund"),
            used("[data-testid=stExpander] summary", "click Numbers", "[data-testid=stDataFrame] >> nth=1"),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "mosaic.js",
                ".attnviz-mosaic-tile",
                "ArrowRight ArrowDown End Home ArrowUp ArrowRight ArrowLeft Escape",
                ".attnviz-mosaic .attnviz-tip",
            ),
        ),
    ),
    "compare": Screen(
        "/compare?panels=encoder.L0.H1+cross.L2.H5&sentence=Der+Hund+sah+den+Ball.",
        [
            MEASURING,
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            tested(".attnviz-panels-add", "compare test_panels_are_added_compared_and_dropped", "attnviz-panels-add"),
            tested(".attnviz-panel-name", "compare test_panels_are_added_compared_and_dropped", "attnviz-panel-name"),
            tested("[aria-label^='Move left']", "compare test_panels_are_added_compared_and_dropped", "Move left"),
            used("[aria-label^='Move right']", "click", "panels=cross.L2.H5 encoder.L0.H1 difference=B-A like=B"),
            tested("[aria-label^='Drop panel']", "compare test_panels_are_added_compared_and_dropped", "Drop panel"),
            used("[aria-label^='Other sentence']", "click", ".attnviz-panel-input"),
            tested(
                ".attnviz-panel-input",
                "compare test_a_link_holds_what_a_panel_has_of_its_own",
                "Sentence of this panel",
            ),
            used(".attnviz-panel-label:nth-child(3) input", NOWHERE, ".attnviz-panel:has-text('/no/such/folder')"),
            used(".attnviz-panel-note", "click", ".attnviz-panel-form >> visible=true"),
            tested(
                ".attnviz-panel-form button", "compare test_a_link_holds_what_a_panel_has_of_its_own", "As on the page"
            ),
            tested(
                "[aria-label^='Attention: ']",
                "compare test_heads_are_chosen_and_the_way_back_undoes_it",
                "Attention: B",
            ),
            tested("[aria-label^='Layer: ']", "compare test_panels_are_added_compared_and_dropped", "Layer: C"),
            tested("[aria-label^='Head: ']", "compare test_heads_are_chosen_and_the_way_back_undoes_it", "Head: B"),
            tested(
                "[aria-label^='Difference: ']", "compare test_panels_are_added_compared_and_dropped", "minus this panel"
            ),
            tested(".attnviz-alike-entry", "compare test_panels_are_added_compared_and_dropped", "attnviz-alike-entry"),
            tested(".attnviz-alike-dot", "compare test_panels_are_added_compared_and_dropped", "attnviz-alike-dot"),
            *FILES,
            *switches("sah", "Hund"),
            used(".st-key-numbers summary", "click", ".st-key-numbers [data-testid=stDataFrame]"),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "panel_cards.js",
                ".attnviz-panel-name",
                "ArrowRight ArrowRight ArrowDown ArrowLeft ArrowUp Escape",
                ".attnviz-panels .attnviz-tip",
            ),
            Keys("similar_heads.js", ".attnviz-alike-dot", "ArrowRight ArrowLeft ArrowDown ArrowUp"),
        ),
    ),
    "what_if": Screen(
        "/what_if?sentence=Der+Hund+sah+den+Ball.&importance=true&off=cross.L3.H4",
        [
            used(".attnviz-fold", "click", ".st-key-layer"),
            MEASURING,
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            *FILES,
            tested(
                ".st-key-preset button",
                "what_if test_on_a_telephone_the_page_opens_with_another_text_and_presets_change_it",
                "st-key-preset",
            ),
            tested(
                ".attnviz-mosaic-tile",
                "what_if test_heads_are_switched_off_and_measured",
                "attnviz-mosaic-tile",
            ),
            tested(".st-key-all_on button", "what_if test_heads_are_switched_off_and_measured", "all_on"),
            tested(
                ".st-key-most_important button",
                "what_if test_heads_are_switched_off_and_measured",
                "st-key-most_important",
            ),
            tested(".st-key-importance input", "what_if test_heads_are_switched_off_and_measured", "importance"),
            tested(
                ".attnviz-effect-maps .attnviz-panel-name",
                "what_if test_heads_are_switched_off_and_measured",
                "attnviz-panel-name",
            ),
            used(".st-key-stand_in button", "click its own mean", "stand_in=mean"),
            used("[class*=st-key-on_] button", "click", "!off"),
            used(".st-key-change input", "pick Neighbours only", "change=window"),
            used(".st-key-window input", "press ArrowRight", "window=2"),
            used(".st-key-where button", "click this layer", "where=layer"),
            used(".st-key-keep_change button", "click", "changes=encoder.L3.window=2"),
            used(".st-key-change input", "pick Neighbours and steps", "change=strided"),
            used(".st-key-stride input", "press ArrowRight", "stride=4"),
            used(".st-key-take_back button", "click", "!change"),
            used(".st-key-change input", "pick Top k", "change=top_k"),
            used(".st-key-top_k input", "press ArrowRight", "top_k=3"),
            used("[class*=st-key-take_back_] button", "click", "!changes"),
            used(".st-key-change input", "pick Temperature", "change=temperature"),
            used(".st-key-heat input", "press ArrowRight", "heat=8"),
            used(".st-key-change input", "pick Dropout", "change=dropout"),
            used(".st-key-drop input", "press ArrowRight", "drop=60"),
            used(".st-key-drop_seed input", "type 3", "drop_seed=3"),
            used(".st-key-change input", "pick Hash buckets", "change=hashing"),
            used(".st-key-buckets input", "press ArrowRight", "buckets=8"),
            used(".st-key-rounds input", "press ArrowRight", "rounds=2"),
            used(".st-key-hash_seed input", "type 3", "hash_seed=3"),
            used(".st-key-change input", "pick A hidden word", "change=unseen"),
            used(".st-key-unseen input", "pick Ball", "unseen=Ball"),
            used(".st-key-change input", "pick One word for one word", "change=edge"),
            used(".st-key-from_word input", "pick Ball", "from_word=Ball"),
            used(".st-key-to_word input", "pick sah", "to_word=sah"),
            used(".st-key-change input", "pick Off", "change=off"),
            used(".st-key-change input", "pick Another sentence’s pattern", "change=pattern"),
            used(".st-key-other textarea", "type Die Katze sah den Hund!", "other=Die Katze sah den Hund!"),
            used(".st-key-change input", "pick Nothing", "!change"),
            used(".st-key-layer button", "click 1", "layer=1"),
            used(".st-key-head input", "pick 3", "head=3"),
            used(".st-key-kind button", "click cross", "kind=cross"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            *switches("sah", "dog"),
            used(".st-key-numbers summary", "click", ".st-key-numbers [data-testid=stDataFrame]"),
            tested(
                ".st-key-distances summary",
                "what_if test_several_changes_act_in_their_order_and_each_is_taken_back",
                "st-key-distances",
            ),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "effect_maps.js",
                ".attnviz-effect-maps .attnviz-panel-name",
                "ArrowRight ArrowDown Escape",
                ".attnviz-effect-maps .attnviz-tip",
            ),
        ),
    ),
    "attribution": Screen(
        "/attribution?sentence=Der+Hund+sah+den+Ball.",
        [
            *PAGE_FILES,
            used(".attnviz-why-output button", "click dog", "explained=dog"),
            used(".st-key-method input", "pick Rollout", "method=rollout"),
            used(".st-key-beside input", "pick Integrated gradients", "beside=integrated_gradients"),
            used(".st-key-of_layer input", "pick 2", "of_layer=2"),
            used(".st-key-method input", "pick Attention weights", "!method"),
            used(".st-key-of_head input", "pick 5", "of_head=5"),
            tested(
                ".st-key-instead input",
                "attribution test_methods_are_chosen_compared_and_measured",
                "st-key-instead",
            ),
            used(".st-key-matrix input", "turn", "matrix=true"),
            used(".st-key-all_methods input", "turn", "all_methods=true"),
            used(".attnviz-why-scroll", "click", ".attnviz-why-table"),
            used(".st-key-trust input", "turn", "trust=true"),
            tested(
                ".st-key-target textarea",
                "attribution test_a_word_is_clicked_and_explained",
                'text_box(page, "target")',
            ),
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "explanation.js",
                ".attnviz-why-output button[aria-pressed=true]",
                "ArrowLeft ArrowRight Home End",
                ".none",
            ),
        ),
    ),
    "roles": Screen(
        "/roles",
        [
            *PAGE_FILES,
            used(".attnviz-roles-choice", "click looks at the token after", "role=next token"),
            used(".attnviz-roles-tile", "click translates", "at=cross.L0.H1"),
            used(".attnviz-roles-table [data-sort]", "click Baseline", "[aria-sort=descending]"),
            used(".attnviz-roles-open", "click Encoder L2 H5", "at=encoder.L2.H5"),
            used(".attnviz-roles-scroll", "click", ".attnviz-roles-table"),
            used(".st-key-word input", "type Tom", "word=Tom"),
            used(".attnviz-roles-close", "click", ".attnviz-roles-whose"),
            used("[data-testid=stExpander] summary", "click", ".st-key-measuring"),
            tested(
                ".st-key-measure_roles button", "roles test_a_model_is_measured_and_read_head_by_head", "measure_roles"
            ),
            used(".st-key-roles_from button", "click Your own texts", ".st-key-roles_text"),
            used(".st-key-roles_text textarea", "type The dog.", ".st-key-roles_text"),
            MODEL,
        ],
        (
            Keys(
                "head_roles.js",
                ".attnviz-roles-tile[tabindex='0']",
                "ArrowLeft ArrowRight ArrowDown ArrowUp Home End",
                ".none",
            ),
        ),
    ),
    "long_text": Screen(
        "/long_text?sentence=The+dog+saw+the+ball.+The+cat+sat+on+the+mat.+It+was+a+warm+day.",
        [
            *PAGE_FILES,
            MEASURING,
            tested(
                ":is(.attnviz-long-tools button, .attnviz-long-canvas)",
                "long_text test_the_map_is_zoomed_moved_and_brought_back",
                "data-act=nearer",
            ),
            tested(
                ":is(.attnviz-long-ways button, .attnviz-long-passages)",
                "long_text test_a_click_marks_passages_and_passages_and_links_lead_to_their_place",
                "attnviz-long-ways",
            ),
            tested(
                ".attnviz-links-table button",
                "long_text test_a_click_marks_passages_and_passages_and_links_lead_to_their_place",
                "attnviz-links-table",
            ),
            used(".st-key-head input", "pick 2", "head=2"),
            used(".st-key-colours button", "click share", "colours=share"),
            LAYER,
            used(".st-key-kind button", "click cross", "kind=cross"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            MODEL,
        ],
        (
            Keys(
                "long_map.js",
                ".attnviz-long-canvas",
                "ArrowRight ArrowDown ArrowLeft ArrowUp Enter + Home Escape",
                ":is(.attnviz-long, .attnviz-long-text)",
            ),
            Keys(
                "long_text_panel.js",
                ".attnviz-long-passages",
                "ArrowDown ArrowRight ArrowDown ArrowUp ArrowLeft End Home Enter Escape Space",
                ".attnviz-long-text",
            ),
        ),
    ),
    "steps": Screen(
        "/steps?sentence=Der+Hund+sah+den+Ball.",
        [
            MEASURING,
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            used(".st-key-beside button", "click bytes", "beside=bytes"),
            used("[data-testid=stExpander] summary", "click Numbers", "[data-testid=stDataFrame]"),
            COSTS,
            used(".st-key-looking input", "pick Ball", "looking=Ball"),
            used(".st-key-looked_at input", "pick Hund", "looked_at=Hund"),
            used(".st-key-head input", "pick 2", "head=2"),
            LAYER,
            used(".st-key-kind button", "click cross", "kind=cross"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            used(".st-key-next button", "click", "step=2"),
            used(".st-key-back button", "click", "step=1"),
            tested(
                ".st-key-step_shown button",
                "steps test_one_walks_from_step_to_step_and_to_other_pages",
                "st-key-step_shown",
            ),
            used(".st-key-step_shown button", "click 3", "step=3"),
            used(".st-key-matrix button", "click W_V", "matrix=W_V"),
            used(".st-key-step_shown button", "click 4", "step=4"),
            tested(
                ".st-key-why summary", "steps test_a_link_opened_on_a_telephone_says_why", "Why does it look there?"
            ),
            used(".st-key-step_shown button", "click 5", "step=5"),
            used(".st-key-temperature input", "press ArrowRight", "temperature=1.1"),
            used(".st-key-step_shown button", "click 7", "step=7"),
            used(".st-key-next_layer button", "click", "layer=2"),
            *FILES,
            used(".st-key-layer button", "click 3", "layer=3"),
            used(".st-key-step_shown button", "click 7", "step=7"),
            tested(".st-key-lead_on a", "steps test_one_walks_from_step_to_step_and_to_other_pages", "st-key-lead_on"),
            tested(
                ".st-key-take_by_hand button",
                "steps test_one_walks_from_step_to_step_and_to_other_pages",
                "take_by_hand",
            ),
            EXAMPLE,
            MODEL,
        ],
    ),
    "simple_attention": Screen(
        "/simple_attention",
        [
            *PAGE_FILES,
            tested(
                ".attnviz-tables-button",
                "simple_attention test_the_numbers_are_read_pointed_at_and_pushed",
                "with → one",
            ),
            tested(
                "[class*=st-key-hand_table] canvas",
                "simple_attention test_words_and_numbers_are_edited_and_the_link_has_them",
                "edit(",
            ),
            tested(
                ".st-key-times input",
                "simple_attention test_the_numbers_are_read_pointed_at_and_pushed",
                "st-key-times",
            ),
            used(".st-key-query_word button", "click with", "query_word=with"),
            used(".st-key-hand_csv button", "save", ".csv"),
            used(".st-key-causal input", "turn", "causal=true"),
            used(".st-key-scaled input", "turn", "scaled=true"),
            used(".st-key-dropout input", "turn", "dropout=true"),
            used(".st-key-dropout_rate input", "press ArrowRight", "dropout_rate=60"),
            used(".st-key-dropout_seed input", "type 3", "dropout_seed=3"),
            used(".st-key-matrices input", "turn", "matrices=true"),
            tested(
                "[class*=st-key-hand_w] canvas", "simple_attention test_a_matrix_is_edited_on_a_telephone", "hand_w_"
            ),
            used(".st-key-w_seed input", "type 5", "w_seed=5"),
            used(".st-key-d_out input", "type 4", "d_out=4"),
            used(".st-key-n_heads button", "click 2", "n_heads=2"),
            used(".st-key-one_head button", "click 1", "one_head=1"),
            used(".st-key-w_o input", "turn", "w_o=true"),
            used(".st-key-own_sentence button", "click", ".st-key-hand_made_of"),
            used(".st-key-first_table button", "click", "!table"),
        ],
        (
            Keys(
                "number_tables.js",
                ".st-key-hand_all .attnviz-tables-button",
                "ArrowRight ArrowDown ArrowLeft ArrowUp End Home",
            ),
        ),
    ),
    "embeddings": Screen(
        "/embeddings?sentence=Der+Hund+sah+den+Ball.",
        [
            tested(
                ".st-key-more_words input",
                "embeddings test_words_are_points_that_are_turned_chosen_and_added",
                "st-key-more_words",
            ),
            tested(
                ":is(.attnviz-space-picture, .attnviz-space-button)",
                "embeddings test_words_are_points_that_are_turned_chosen_and_added",
                "PICTURE",
            ),
            *PAGE_FILES,
            used(SENTENCE, "type Der Hund sah den Ball!", "sentence=Der Hund sah den Ball!"),
            used(".st-key-word_one input", "pick Ball", "word_one=Ball"),
            used(".st-key-word_two input", "pick Katze", "word_two=Katze"),
            used("[data-testid=stExpander] summary", "click Numbers", "[data-testid=stDataFrame]"),
            used(".st-key-kind button", "click decoder", "kind=decoder"),
            used(".st-key-target textarea", "type A dog.", "target=A dog."),
            EXAMPLE,
            MODEL,
        ],
        (
            Keys(
                "point_cloud.js",
                ".attnviz-space-picture",
                "ArrowLeft ArrowUp Home ArrowRight ArrowDown",
                ".attnviz-space-dot",
            ),
        ),
    ),
    "context": Screen(
        "/context",
        [
            MEASURING,
            tested(
                ".st-key-sentence2 textarea",
                "context test_a_word_is_followed_through_two_sentences",
                'text_box(page, "sentence2")',
            ),
            tested(
                ".st-key-pair_example button",
                "context test_a_word_is_followed_through_two_sentences",
                "st-key-pair_example",
            ),
            tested(".st-key-layer button", "context test_a_word_is_followed_through_two_sentences", "st-key-layer"),
            tested(".attnviz-tables-button", "context test_a_word_is_followed_through_two_sentences", "rows"),
            tested(".st-key-word2 input", "context test_a_word_is_followed_through_two_sentences", "st-key-word2"),
            *PAGE_FILES,
            used(SENTENCE, "type Swing the bat and run!", "sentence=Swing the bat and run!"),
            used(".st-key-word input", "pick run", "word=run"),
            used(".st-key-head input", "pick 3", "head=3"),
            used(".st-key-kind button", "click decoder", "kind=decoder"),
            used(".st-key-numbers summary", "click", ".st-key-numbers [data-testid=stDataFrame]"),
            MODEL,
        ],
    ),
    "translate": Screen(
        "/translate?sentence=De+kat+zit+op+de+mat.",
        [
            MEASURING,
            tested(
                SENTENCE, "translate test_choices_come_along_and_neither_markup_nor_damage_does_harm", "text_box(page)"
            ),
            used(".st-key-direction input", "pick English → German", "direction=en-de"),
            tested(
                ".st-key-method button", "translate test_other_tokens_and_other_methods_are_chosen", "st-key-method"
            ),
            tested(
                ":is(.attnviz-growing-back, .attnviz-growing-next, .attnviz-growing-chip, .attnviz-growing-row)",
                "translate test_a_translation_is_read_step_by_step",
                "attnviz-growing-next",
            ),
            tested(
                ".attnviz-growing-play", "translate test_a_translation_is_read_step_by_step", "attnviz-growing-play"
            ),
            tested(".attnviz-growing-bar", "translate test_other_tokens_and_other_methods_are_chosen", "BARS"),
            tested(
                ".attnviz-growing-reset",
                "translate test_other_tokens_and_other_methods_are_chosen",
                "See the model's own",
            ),
            tested(
                ".attnviz-architecture-place",
                "translate test_a_translation_is_read_step_by_step",
                "data-kind=decoder",
            ),
            used("[data-testid=stExpander] summary", "click Numbers", "[data-testid=stDataFrame]"),
            used(".st-key-kind button", "click decoder", "kind=decoder"),
            LAYER,
            used(".st-key-head input", "pick 3", "head=3"),
            used(".st-key-by_word input", "turn", "by_word=true"),
            used(".st-key-hide_special input", "turn", "hide_special=true"),
            *FILES,
            used(".st-key-method button", "click sample", "method=sample"),
            used(".st-key-temperature input", "type 0.5", "temperature=0.5"),
            used(".st-key-top_k input", "type 9", "top_k=9"),
            used(".st-key-top_p input", "type 0.9", "top_p=0.9"),
            used(".st-key-seed input", "type 4", "seed=4"),
            used(".st-key-method button", "click beam", "method=beam"),
            tested(
                ".attnviz-growing-node",
                "translate test_other_tokens_and_other_methods_are_chosen",
                "attnviz-growing-node",
            ),
            used(".st-key-width input", "type 2", "width=2"),
            used(".st-key-example button", "click 学生在写", "sentence=学生在写作业。"),
            MODEL,
        ],
        (
            Keys("text_player.js", ".attnviz-growing-bar", "ArrowDown ArrowUp"),
            Keys("architecture.js", "[data-kind=decoder]", "Enter", ".attnviz-architecture-here"),
            Keys("architecture.js", "[data-kind=cross]", "Space", ".attnviz-architecture-here"),
            Keys("text_player.js", ".attnviz-growing-chip", "End ArrowLeft ArrowRight Home"),
        ),
    ),
}
