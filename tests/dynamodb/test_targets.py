"""What the URLs of indexes in DynamoDB name, and what is said about those that name nothing."""

import subprocess
import sys

import pytest

from indelible.errors import InvalidRequest
from indelible.indexes.dynamodb.target import Target
from indelible.indexes.makers import make_index


def test_what_is_named() -> None:
    assert Target.of("dynamodb://eu-central-1/search") == ("eu-central-1", "search", None)
    target = Target.of("dynamodb://us-gov-west-1/my.search_1?endpoint=http%3A%2F%2F127.0.0.1%3A8000")
    assert target == ("us-gov-west-1", "my.search_1", "http://127.0.0.1:8000")
    assert str(target) == "my.search_1 in us-gov-west-1 at http://127.0.0.1:8000"
    assert Target.of("dynamodb://eu-central-1/search?endpoint=https://db.internal:8000").endpoint is not None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("dynamodb:search", "must be like dynamodb://REGION/TABLE"),
        ("dynamodb:///search", "must be like dynamodb://REGION/TABLE"),
        ("dynamodb://127.0.0.1:8000/search", "must be like dynamodb://REGION/TABLE"),
        ("dynamodb://eu-central-1", "must name a table"),
        ("dynamodb://eu-central-1/ab", "must name a table"),
        ("dynamodb://eu-central-1/a/b", "must name a table"),
        ("dynamodb://eu-central-1/search#x", "must be like"),
        ("dynamodb://key:secret@eu-central-1/search", "must not hold credentials"),
        ("dynamodb://eu-central-1/search?table=x", "unknown parameter, table; there is endpoint"),
        ("dynamodb://eu-central-1/search?endpoint=127.0.0.1:8000", "must have for endpoint the URL"),
        ("dynamodb://eu-central-1/search?endpoint=http://x/path", "must have for endpoint the URL"),
        ("dynamodb://eu-central-1/search?endpoint=http://k:s@x", "must have for endpoint the URL"),
        ("dynamodb://eu-central-1/search?endpoint=http://x:99999", "must have for endpoint the URL"),
        ("dynamodb://eu-central-1/search?endpoint", "is no URL"),
        ("dynamodb://[/search", "is no URL"),
    ],
)
def test_what_names_nothing(url: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_index(url)
    assert says in caught.value.message
    assert caught.value.pointer == "/index/store"
    assert "secret" not in caught.value.message


def test_without_its_packages_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['aiobotocore.config'] = None\n"
        "from indelible.indexes.makers import make_index\n"
        "try: make_index('dynamodb://eu-central-1/search')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "InvalidRequest" in ran.stdout
    assert 'pip install "indelible[dynamodb]"' in ran.stdout
