"""The query index in OpenSearch or Elasticsearch."""
