"""The query index in a table of Amazon DynamoDB."""

from indelible.indexes.dynamodb.index import DynamoIndex

__all__ = ["DynamoIndex"]
