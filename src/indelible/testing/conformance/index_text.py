"""The promises of a query index about words, if it can find any."""

from collections.abc import Sequence

import pytest

from indelible.indexes.index import QueryIndex
from indelible.limits import SEARCH_TEXT_LENGTH_MAX
from indelible.search import SearchQuery, words_of
from indelible.testing.conformance.index_helpers import WithIndex, document, filled, those_found

TEXTS = (
    "The quick brown fox",
    "quick, brown: FOX!",
    "brown quick",
    "Crème brûlée at the café",
    "creme brulee",
    "snake_case and kebab-case",
    "a AND b OR c NOT d NEAR e",
    "price 12.50 for 3kg",
    "東京タワー 東京",
    "Привет, мир! Ёлка",
    "ΟΔΟΣ οδος",
    "straße STRASSE",
    "naïve\nself-aware",
    "don't stop",
    "x\x00y",
    "½ Ⅷ ² 𝟛",
    "हिन्दी भाषा",
    "한국어 문장",
    "العربية مُحَمَّد",
    "I İ ı i",
    "😀 smile",
    "",
    "first line\nsecond line",
    "ΟΔΟΣ'ΑΘΗΝΑ Γ.Σ.Ε.Ε. Fuß ﬁle",
)

WORDS: Sequence[tuple[str, Sequence[int]]] = (
    ("quick", [0, 1, 2]), ("QUICK brown", [0, 1, 2]), ('"quick brown"', [0, 1]), ('"brown quick"', [2]),
    ("quic", []), ("creme", [3, 4]), ("BRÛLÉE", [3, 4]), ("cafe\u0301", [3]), ("snake", [5]), ("snake_case", [5]),
    ("case_snake", []), ("kebab-case", [5]), ("case-kebab", []), ("12.50", [7]), ("12 50", [7]), ("50.12", []),
    ("3kg", [7]), ("kg", []), ("東京", [8]), ("東", []), ("привет", [9]), ("елка", [9]), ("οδοσ", [10, 23]),
    ("ΟΔΟΣ", [10, 23]), ("οδός", [10, 23]), ('"οδος αθηνα"', [23]), ("Γ.Σ.Ε.Ε", [23]), ("FUSS", [23]), ("file", [23]),
    ("strasse", [11]), ("straße", [11]), ("naive", [12]), ("aware self", [12]), ("don't", [13]),
    ("don", [13]), ('"t stop"', [13]), ("x", [14]), ("y", [14]), ('"x y"', [14]), ("½", [15]), ("한국어", [17]),
    ("العربية", [18]), ("محمد", [18]), ("😀smile", [20]), ('"line second"', [22]), ('"first second"', []),
    ("AND", [5, 6]), ("a OR z", []), ("NOT", [6]), ("NOT quick", []), ("NEAR(a b)", []), ("near", [6]), ("a*", [6]),
    ("qui*", []), ("^quick", [0, 1, 2]), ("quick^2", []), ("text:quick", []), ("words:quick", []),
    ("-quick", [0, 1, 2]),
    ("+quick", [0, 1, 2]), ("quick AND brown", []), ("{quick} (brown)", [0, 1, 2]), ('quick" brown', [0, 1, 2]),
    ('""quick""', [0, 1, 2]), ("quick;brown'--", [0, 1]), ("quick?", [0, 1, 2]), ("qu?ck", []), ("%quick%", [0, 1, 2]),
    ("/qu.ck/", []), ("quick~", [0, 1, 2]), ("\\quick", [0, 1, 2]), ("quick\x00brown", [0, 1]),
)  # fmt: skip
"""Queries, and the texts above that they find. What other searches take for syntax is none."""


@pytest.mark.asyncio
class IndexTextConformance(WithIndex):
    @pytest.fixture
    def text_index(self, index: QueryIndex) -> QueryIndex:
        if not index.capabilities.text:
            pytest.skip("finds no words")
        return index

    async def test_words(self, text_index: QueryIndex) -> None:
        documents = [document(text=text) for text in TEXTS]
        await filled(text_index, documents)
        for query, expected in WORDS:
            assert await those_found(text_index, documents, SearchQuery(query)) == expected, query

    async def test_each_text_is_found_by_its_words(self, text_index: QueryIndex) -> None:
        """Whatever their script; by each word, and by all of them as a phrase."""
        documents = [document(text=text) for text in TEXTS]
        await filled(text_index, documents)
        for number, text in enumerate(TEXTS):
            words = words_of(text)
            for query in {*words, f'"{" ".join(words)}"', " ".join(reversed(words))} if words else ():
                assert number in await those_found(text_index, documents, SearchQuery(query)), query

    async def test_every_letter_and_digit(self, text_index: QueryIndex) -> None:
        """Of most alphabets: each is a word, or a part of one, as ``words_of`` says."""
        letters = [chr(code) for code in range(0x20, 0x3000) if len(words_of(chr(code))) == 1]
        texts = [[f"x{one}y" for one in letters[start::64]] for start in range(64)]
        documents = [document(text=" ".join(text)) for text in texts]
        await filled(text_index, documents)
        words = [{tuple(words_of(one)) for one in text} for text in texts]
        for one in letters[::17]:
            asked = tuple(words_of(f"X{one}Y"))
            expected = [number for number, held in enumerate(words) if asked in held]
            assert await those_found(text_index, documents, SearchQuery(f"X{one}Y")) == expected, one

    async def test_a_query_as_long_as_may_be(self, text_index: QueryIndex) -> None:
        text = " ".join(f"{n}" for n in range(400))
        documents = [document(text=text), document(text=text[: len(text) // 2])]
        await filled(text_index, documents)
        query = text[:SEARCH_TEXT_LENGTH_MAX].rpartition(" ")[0]
        assert await those_found(text_index, documents, SearchQuery(query)) == [0]
        phrase = query.rpartition(" ")[0]
        assert await those_found(text_index, documents, SearchQuery(f'"{phrase}"')) == [0]
        letters = ("a " * (SEARCH_TEXT_LENGTH_MAX // 2)).strip()
        assert await those_found(text_index, documents, SearchQuery(letters)) == []

    async def test_long_words_and_texts(self, text_index: QueryIndex) -> None:
        documents = [document(text="x" * 999), document(text="x" * 998), document(text="y " * 30_000 + "z")]
        await filled(text_index, documents)
        assert await those_found(text_index, documents, SearchQuery("x" * 998)) == [1]
        assert await those_found(text_index, documents, SearchQuery("x" * 999)) == [0]
        assert await those_found(text_index, documents, SearchQuery('"y z"')) == [2]

    async def test_words_with_conditions(self, text_index: QueryIndex) -> None:
        documents = [document(text=f"word{n % 3} all", tags=[f"t{n % 2}"]) for n in range(12)]
        await filled(text_index, documents)
        query = SearchQuery("all word1", tags=("t1",))
        assert await those_found(text_index, documents, query) == [1, 7]
