"""Where plain text is: what every task that learns from unlabelled text asks for."""

from __future__ import annotations

from dataclasses import dataclass

from qkvae.config import checks


@dataclass(frozen=True, kw_only=True)
class TextFiles:
    """Where the text is, and how many tokens are made of it."""

    paths: tuple[str, ...] = ()
    """Text files, folders of them, or tables (.jsonl .csv .tsv .parquet) of a text per row; embedded text if
    none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off if none: whole documents by hash, or the end of a single
    text."""

    text: str | None = None
    """Column of the texts in a table, by name or by number from 0."""

    vocab_size: int | None = None
    """Tokens, special ones too; up to 8000 (bpe), or every character or word, if not given."""

    min_frequency: int | None = None
    """A pair (bpe), a word or a character seen less often than this gets no token of its own; 2, and 1 for
    characters, if not given."""

    valid_fraction: float | None = None
    """Part split off for validation, 250,000 characters at most; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "min_frequency")
        checks.at_least(self, 10, "vocab_size")
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        if self.valid and not self.paths:
            raise ValueError("--valid is given without DATA to train on: give both, or neither")

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction
